//! Puts the scene together: the agent's picture, the sign-in, and why there is no agent if there is none.

use futures_util::stream::{BoxStream, StreamExt as _, pending};
use porten_core::bridge::{Scene, SignInView};
use porten_core::snapshot::Snapshot;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::hold::Hold;

/// Draws until nobody holds an agent any more.
pub(crate) async fn draw(
    mut holds: watch::Receiver<Hold>,
    mut sign_in: watch::Receiver<SignInView>,
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
                Some(picture) = pictures.next() => change(&scenes, |scene| scene.snapshot = Some((*picture).clone())),
                () = quit.cancelled(), if !scenes.borrow().quitting => {
                    change(&scenes, |scene| scene.quitting = true);
                }
                Ok(()) = sign_in.changed() => {
                    let view = sign_in.borrow_and_update().clone();
                    change(&scenes, |scene| scene.sign_in = view);
                }
            }
        }
    }
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
    use super::*;

    #[tokio::test]
    async fn trouble_and_sign_in_are_shown_and_nothing_is_told_twice() {
        let empty = Scene { snapshot: None, sign_in: SignInView::Idle, trouble: None, quitting: false };
        let (holds, holds_seen) = watch::channel(Hold::Starting);
        let (sign_in, sign_in_seen) = watch::channel(SignInView::Idle);
        let (scenes, mut seen) = watch::channel(empty.clone());
        let quit = CancellationToken::new();
        let drawing = tokio::spawn(draw(holds_seen, sign_in_seen, scenes, quit.clone()));
        sign_in.send_replace(SignInView::Asking);
        assert_eq!(seen.wait_for(|scene| *scene != empty).await.unwrap().sign_in, SignInView::Asking);
        holds.send_replace(Hold::Trouble("No.".into()));
        let scene = seen.wait_for(|scene| scene.trouble.is_some()).await.unwrap().clone();
        assert_eq!((scene.trouble.as_deref(), scene.sign_in), (Some("No."), SignInView::Asking));
        holds.send_replace(Hold::Starting);
        seen.wait_for(|scene| scene.trouble.is_none()).await.unwrap();
        sign_in.send_replace(SignInView::Asking);
        quit.cancel();
        seen.wait_for(|scene| scene.quitting).await.unwrap();
        drop(holds);
        drawing.await.unwrap();
        assert!(!seen.has_changed().unwrap_or(false), "the same again is no news");
    }
}
