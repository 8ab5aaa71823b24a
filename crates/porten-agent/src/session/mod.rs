//! One connection to the Hub from its first dial to its end, as one task: hello, welcome, adverts, requests.

mod tally;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use porten_core::tunnel::{ConnId, Failure, Lost, Refused};
use porten_core::wire::{
    self, Advert, Draining, FromAgent, FromHub, Goodbye, GoodbyeReason, Hello, PongStats, Welcome, WireError,
};
use porten_link::dial::{Connect, DialRequest, Transport, dial};
use porten_link::{Beat, Control, End, Opened, Outgoing, http2};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::credentials::Credentials;
use crate::heavy;
use crate::relay::{self, Relay};
use tally::Tally;

/// How long after its welcome the Hub may take to begin with HTTP/2; it has nothing else to do.
const HTTP2_DEADLINE: Duration = Duration::from_secs(10);
/// How long after `draining` the Hub may take to say that no more is on its way; one that never says so is not waited for
/// any longer. Under [`porten_core::leaving::LAST_WORDS`].
const CONFIRM_PATIENCE: Duration = Duration::from_secs(3);

/// What a session tells the loop; each carries the connection's number, so that a dead one is not believed.
#[derive(Debug)]
pub enum Told {
    /// The Hub said welcome.
    Opened(Welcome),
    /// The Hub said something.
    Said(FromHub),
    /// A ping was answered.
    Rtt(Duration),
    /// It is over.
    Ended(Failure),
}

/// What every session of this process uses.
#[derive(Clone)]
pub struct Way {
    /// The tunnel's address.
    pub url: Url,
    /// TLS for `wss`.
    pub tls: Arc<rustls::ClientConfig>,
    /// The way to the network; injected.
    pub connect: Connect,
    /// How often to ping.
    pub beat: Beat,
    /// Who hands out tokens.
    pub credentials: Credentials,
    /// Who is calling.
    pub hello: Hello,
    /// What can be served, whenever it changes.
    pub adverts: watch::Receiver<Advert>,
    /// Cancelled when no new requests are wanted.
    pub drain: CancellationToken,
    /// Notified when it is in doubt whether the Hub is still there.
    pub probe: Arc<Notify>,
    /// What answers requests.
    pub relay: Relay,
    /// The loop.
    pub told: mpsc::Sender<(ConnId, Told)>,
}

/// Runs one connection to its end and tells the loop how it ended.
#[tracing::instrument(name = "link", skip_all, fields(conn = conn.0))]
pub async fn run(way: Way, conn: ConnId) {
    let opened = tokio::select! {
        opened = open(&way) => opened,
        // What is only being dialled carries nothing that could be finished.
        () = way.drain.cancelled() => Err(Failure::Lost(Lost::Cut)),
    };
    let failure = match opened {
        Ok((opened, welcome)) => {
            tracing::info!(account = ?welcome.account, "connected");
            tell(&way, conn, Told::Opened(welcome)).await;
            serve(&way, conn, opened).await
        }
        Err(failure) => failure,
    };
    tell(&way, conn, Told::Ended(failure)).await;
}

async fn tell(way: &Way, conn: ConnId, told: Told) {
    // A closed channel means that the process is ending; there is nobody to tell.
    let _ = way.told.send((conn, told)).await;
}

/// Dials with a token, and once more with a fresh one if the first is not accepted.
async fn open(way: &Way) -> Result<(Opened<Transport>, Welcome), Failure> {
    let token = way.credentials.access(None).await?;
    let request = |token: &porten_core::secret::Secret| DialRequest {
        url: way.url.clone(),
        token: token.clone(),
        tls: Arc::clone(&way.tls),
        connect: Arc::clone(&way.connect),
    };
    let mut opened = match dial(request(&token)).await {
        Err(Failure::Refused(Refused::SignIn)) => {
            let fresh = way.credentials.access(Some(token)).await?;
            dial(request(&fresh)).await?
        }
        other => other?,
    };
    opened.send(wire::write(&FromAgent::Hello(way.hello.clone()))).await.map_err(|end| failure(&end, None))?;
    loop {
        let text = opened.receive().await.map_err(|end| failure(&end, None))?;
        match take(text, &way.adverts).await {
            Ok(Some(FromHub::Welcome(welcome))) => return Ok((opened, welcome)),
            Ok(Some(FromHub::Goodbye(goodbye))) => return Err(turned_away(&goodbye)),
            Ok(_) => {}
            Err(error) => {
                opened.close(wire::close::PROTOCOL, &error.to_string()).await;
                return Err(Failure::Refused(Refused::NotPorten(error.to_string())));
            }
        }
    }
}

/// Serves requests until the link ends.
async fn serve(way: &Way, conn: ConnId, opened: Opened<Transport>) -> Failure {
    let (bytes, control) = opened.into_link(way.beat);
    let end = control.end.clone();
    let mut requests = match tokio::time::timeout(HTTP2_DEADLINE, http2::serve(bytes)).await {
        Ok(Ok(requests)) => requests,
        Ok(Err(_)) => return failure(&cause(&end), None),
        Err(_) => return Failure::Lost(Lost::TimedOut),
    };
    let mut goodbye = None;
    let mut running = JoinSet::new();
    let (confirmed, done) = (CancellationToken::new(), CancellationToken::new());
    {
        let mut talk = pin!(talk(way, conn, control, &mut goodbye, &confirmed, &done));
        let (mut draining, mut talking) = (false, true);
        loop {
            if draining && running.is_empty() {
                // With the control half gone the link closes once its last bytes are out, instead of waiting for a word.
                done.cancel();
            }
            tokio::select! {
                accepted = requests.accept() => match accepted {
                    Some(Ok((request, respond))) => drop(running.spawn(relay::serve(way.relay.clone(), request, respond))),
                    Some(Err(_)) | None => break,
                },
                Some(_) = running.join_next() => {}
                // Not before: what the Hub had placed already is answered by the relay, in words of its own.
                () = confirmed.cancelled(), if !draining => {
                    draining = true;
                    requests.graceful_shutdown();
                }
                () = &mut talk, if talking => talking = false,
            }
        }
        // What still runs is cut, and its engine connections with it.
        drop((running, requests));
        if talking {
            // The Hub's last word may still be unread.
            talk.await;
        }
    }
    failure(&cause(&end), goodbye.as_ref())
}

fn cause(end: &watch::Receiver<Option<End>>) -> End {
    end.borrow().clone().unwrap_or(End::Cut)
}

/// The control half of a session: what is to be said and heard, until the link ends or is drained and `done`. It says
/// when the Hub has `confirmed` that it places nothing more here, or took too long to.
async fn talk(
    way: &Way,
    conn: ConnId,
    mut control: Control,
    goodbye: &mut Option<Goodbye>,
    confirmed: &CancellationToken,
    done: &CancellationToken,
) {
    let mut confirm_by = None;
    let mut adverts = way.adverts.clone();
    adverts.mark_changed();
    let (mut seq, mut draining, mut tally) = (0, false, Tally::default());
    loop {
        let say = tokio::select! {
            heard = control.incoming.recv() => match heard {
                Some(_) if tally.is_too_much(Instant::now()) => {
                    tracing::warn!("the Hub does not stop talking");
                    let reason = "too many control messages".to_owned();
                    Some(Outgoing::Close { code: wire::close::POLICY, reason })
                }
                Some(text) => hear(way, conn, text, goodbye, confirmed).await,
                // The link is gone; `accept` says so next.
                None => return,
            },
            Ok(()) = adverts.changed() => {
                seq += 1;
                let advert = Advert { seq, ..adverts.borrow_and_update().clone() };
                Some(Outgoing::Text(wire::write(&FromAgent::Advert(advert))))
            }
            Ok(()) = control.rtt.changed() => {
                let rtt = (*control.rtt.borrow_and_update()).unwrap_or_default();
                tell(way, conn, Told::Rtt(rtt)).await;
                let rtt_ms = u32::try_from(rtt.as_millis()).unwrap_or(u32::MAX);
                Some(Outgoing::Text(wire::write(&FromAgent::PongStats(PongStats { rtt_ms }))))
            }
            () = way.probe.notified() => {
                control.probe.notify_one();
                None
            }
            () = done.cancelled(), if draining => return,
            () = sleep_until(confirm_by), if !confirmed.is_cancelled() => {
                tracing::info!("the Hub did not say that no more comes");
                confirmed.cancel();
                None
            }
            () = way.drain.cancelled(), if !draining => {
                draining = true;
                confirm_by = Some(tokio::time::Instant::now() + CONFIRM_PATIENCE);
                let in_flight = way.relay.in_flight();
                Some(Outgoing::Text(wire::write(&FromAgent::Draining(Draining { in_flight }))))
            }
        };
        if let Some(message) = say {
            // The link is ending if it takes no more; `accept` says so next.
            let _ = control.outgoing.send(message).await;
        }
    }
}

/// Ends at a moment, or never.
async fn sleep_until(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Reads a control message; what is not taken of it is told once for all of it. What is advertised stays in a long catalog.
async fn take(text: String, adverts: &watch::Receiver<Advert>) -> Result<Option<FromHub>, WireError> {
    let adverts = adverts.clone();
    let bytes = text.len();
    let read = move || {
        let is_served = |id: &str| {
            let advert = adverts.borrow();
            advert.models.iter().any(|model| model.id == id) || advert.cold.iter().any(|cold| cold == id)
        };
        wire::take_from_hub(&text, is_served)
    };
    // The process ends if it is not read.
    let read = heavy::run(bytes, read).await.unwrap_or(Ok(None))?;
    Ok(read.map(|(said, left_out)| {
        if !left_out.is_nothing() {
            let wire::LeftOut { unreadable, first, beyond } = left_out;
            tracing::warn!(unreadable, ?first, beyond, "a part of what the Hub said is not taken");
        }
        said
    }))
}

/// Takes one control message; answers with a close if it breaks the protocol.
async fn hear(
    way: &Way,
    conn: ConnId,
    text: String,
    goodbye: &mut Option<Goodbye>,
    confirmed: &CancellationToken,
) -> Option<Outgoing> {
    match take(text, &way.adverts).await {
        Ok(Some(said)) => {
            match &said {
                FromHub::Goodbye(word) => *goodbye = Some(word.clone()),
                // The link ends once it is drained, and that is no loss of it.
                FromHub::Drain(drain) if !drain.stay => {
                    *goodbye = Some(Goodbye::new(GoodbyeReason::Restart, drain.reason.clone()));
                }
                FromHub::Drained(drained) if way.drain.is_cancelled() => {
                    tracing::info!(in_flight = drained.in_flight, "the Hub places nothing more here");
                    confirmed.cancel();
                }
                FromHub::Welcome(_)
                | FromHub::Catalog(_)
                | FromHub::Traffic(_)
                | FromHub::Wake(_)
                | FromHub::Drained(_)
                | FromHub::Drain(_) => {}
            }
            tell(way, conn, Told::Said(said)).await;
            None
        }
        Ok(None) => None,
        Err(error) => {
            tracing::warn!(error = ?error.to_string(), "the Hub broke the protocol");
            Some(Outgoing::Close { code: wire::close::PROTOCOL, reason: error.to_string() })
        }
    }
}

/// The meaning of how the link ended, read once and here.
fn failure(end: &End, goodbye: Option<&Goodbye>) -> Failure {
    use wire::close;
    match (end, goodbye) {
        (End::Closed { code: close::REVOKED, .. }, _) => Failure::Refused(Refused::Revoked),
        (End::Closed { code: close::REPLACED, .. }, _) => Failure::Refused(Refused::Replaced),
        (End::Closed { code: close::RESTART | 1001, .. }, goodbye) => restart(goodbye.map_or(0, |word| word.within_s)),
        (_, Some(goodbye)) => farewell(goodbye),
        (End::Ours, None) => Failure::Lost(Lost::Closed),
        _ => Failure::Lost(Lost::Cut),
    }
}

/// The Hub's answer to the hello was a goodbye: it does not take this node, and asking again changes nothing.
fn turned_away(goodbye: &Goodbye) -> Failure {
    match goodbye.reason {
        GoodbyeReason::Protocol | GoodbyeReason::Unknown => {
            Failure::Refused(Refused::Forbidden(goodbye.text.trim_end_matches('.').to_owned()))
        }
        GoodbyeReason::Restart | GoodbyeReason::Revoked | GoodbyeReason::Replaced => farewell(goodbye),
    }
}

fn farewell(goodbye: &Goodbye) -> Failure {
    match goodbye.reason {
        GoodbyeReason::Revoked => Failure::Refused(Refused::Revoked),
        GoodbyeReason::Replaced => Failure::Refused(Refused::Replaced),
        GoodbyeReason::Restart => restart(goodbye.within_s),
        GoodbyeReason::Protocol | GoodbyeReason::Unknown => Failure::Lost(Lost::Cut),
    }
}

const fn restart(within_s: u32) -> Failure {
    Failure::Lost(Lost::Restart { within: Duration::from_secs(within_s as u64) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(code: u16) -> End {
        End::Closed { code, reason: String::new() }
    }

    #[test]
    fn what_a_close_means_is_read_from_its_code_then_from_the_goodbye() {
        assert_eq!(failure(&closed(4401), None), Failure::Refused(Refused::Revoked));
        assert_eq!(failure(&closed(4409), None), Failure::Refused(Refused::Replaced));
        assert_eq!(failure(&closed(1012), None), restart(0));
        let many = Goodbye { within_s: 40, ..Goodbye::new(GoodbyeReason::Restart, "The Hub restarts.") };
        assert_eq!(failure(&closed(1012), Some(&many)), restart(40));
        assert_eq!(failure(&End::Cut, Some(&many)), restart(40));
        let goodbye = Goodbye::new(GoodbyeReason::Revoked, "Revoked.");
        assert_eq!(failure(&End::Cut, Some(&goodbye)), Failure::Refused(Refused::Revoked));
        assert_eq!(failure(&End::NoPong, None), Failure::Lost(Lost::Cut));
    }

    #[test]
    fn a_hub_that_turns_the_hello_away_is_not_asked_again_at_once_and_its_words_are_told() {
        let goodbye = |reason, text: &str| turned_away(&Goodbye::new(reason, text));
        let told = goodbye(GoodbyeReason::Protocol, "This sign-in belongs to another node.");
        assert_eq!(told, Failure::Refused(Refused::Forbidden("This sign-in belongs to another node".into())));
        assert_eq!(goodbye(GoodbyeReason::Restart, ""), Failure::Lost(Lost::Restart { within: Duration::ZERO }));
    }
}
