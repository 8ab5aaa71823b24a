//! Puts the scene together: the agent's picture, the sign-in, and why there is no agent if there is none.

use futures_util::stream::{BoxStream, StreamExt as _, pending};
use porten_core::bridge::{Scene, Visit};
use porten_core::icon;
use porten_core::notice::{Code, Notice};
use porten_core::snapshot::Snapshot;
use porten_core::time::Now;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::hold::Hold;

/// Draws until nobody holds an agent any more.
pub(crate) async fn draw(
    mut holds: watch::Receiver<Hold>,
    mut sign_in: watch::Receiver<Visit>,
    mut hidden: watch::Receiver<Option<Now>>,
    scenes: watch::Sender<Scene>,
    quit: CancellationToken,
) {
    loop {
        let hold = holds.borrow_and_update().clone();
        let (mut pictures, trouble): (BoxStream<'_, Arc<Snapshot>>, _) = match hold {
            Hold::Live(live) => (live.client.watch().boxed(), None),
            Hold::Starting => (pending().boxed(), None),
            Hold::Trouble(text) => (pending().boxed(), Some(text)),
        };
        change(&scenes, |scene| {
            if trouble.is_some() {
                scene.snapshot = None;
            }
            scene.trouble = trouble;
        });
        loop {
            tokio::select! {
                changed = holds.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                Some(picture) = pictures.next() => change(&scenes, |scene| {
                    let mut snapshot = (*picture).clone();
                    mention(&mut snapshot.notices, *hidden.borrow());
                    scene.snapshot = Some(snapshot);
                    scene.show_sign_in(&sign_in.borrow());
                }),
                Ok(()) = hidden.changed() => change(&scenes, |scene| {
                    let since = *hidden.borrow_and_update();
                    if let Some(snapshot) = &mut scene.snapshot {
                        mention(&mut snapshot.notices, since);
                    }
                }),
                () = quit.cancelled(), if !scenes.borrow().quitting => {
                    change(&scenes, |scene| scene.quitting = true);
                }
                Ok(()) = sign_in.changed() => {
                    let visit = sign_in.borrow_and_update().clone();
                    change(&scenes, |scene| scene.show_sign_in(&visit));
                }
            }
        }
    }
}

/// Puts the host's own notice among the agent's, or takes it away.
fn mention(notices: &mut Vec<Notice>, hidden: Option<Now>) {
    notices.retain(|notice| notice.code != Code::IconHidden);
    notices.extend(hidden.map(icon::notice));
}

/// Tells whoever watches, if there is something to tell.
fn change(scenes: &watch::Sender<Scene>, how: impl FnOnce(&mut Scene)) {
    scenes.send_if_modified(|scene| {
        let before = scene.clone();
        how(scene);
        *scene != before
    });
}

#[cfg(test)]
mod tests {
    use porten_core::bridge::SignInView;

    use super::*;

    #[tokio::test]
    async fn trouble_and_sign_in_are_shown_and_nothing_is_told_twice() {
        let empty = Scene { snapshot: None, sign_in: SignInView::Idle, trouble: None, quitting: false };
        let (holds, holds_seen) = watch::channel(Hold::Starting);
        let (sign_in, sign_in_seen) = watch::channel(Visit::default());
        let (scenes, mut seen) = watch::channel(empty.clone());
        let quit = CancellationToken::new();
        let (_hidden, hidden_seen) = watch::channel(None);
        let drawing = tokio::spawn(draw(holds_seen, sign_in_seen, hidden_seen, scenes, quit.clone()));
        let asking = Visit { view: SignInView::Asking, hub: None };
        sign_in.send_replace(asking.clone());
        assert_eq!(seen.wait_for(|scene| *scene != empty).await.unwrap().sign_in, SignInView::Asking);
        holds.send_replace(Hold::Trouble("No.".into()));
        let scene = seen.wait_for(|scene| scene.trouble.is_some()).await.unwrap().clone();
        assert_eq!((scene.trouble.as_deref(), scene.sign_in), (Some("No."), SignInView::Asking));
        holds.send_replace(Hold::Starting);
        seen.wait_for(|scene| scene.trouble.is_none()).await.unwrap();
        sign_in.send_replace(asking);
        quit.cancel();
        seen.wait_for(|scene| scene.quitting).await.unwrap();
        drop(holds);
        drawing.await.unwrap();
        assert!(!seen.has_changed().unwrap_or(false), "the same again is no news");
    }

    #[test]
    fn a_hidden_icon_is_a_notice_of_its_own_until_it_is_seen() {
        let now = Now::new(porten_core::time::Moment::START, jiff::Timestamp::UNIX_EPOCH);
        let agents = Notice { code: Code::MemberLost, ..icon::notice(now) };
        let mut notices = vec![agents.clone()];
        mention(&mut notices, Some(now));
        mention(&mut notices, Some(now));
        assert_eq!(notices, [agents.clone(), icon::notice(now)], "once, however often it is drawn");
        mention(&mut notices, None);
        assert_eq!(notices, [agents]);
    }
}
