//! The tunnel's life under simulated time.

use super::*;

fn at(seconds: u64) -> Moment {
    Moment::after_start(Duration::from_secs(seconds))
}

fn lost() -> Failure {
    Failure::Lost(Lost::Cut)
}

/// A tunnel that is up on connection 1 since second 0.
fn up() -> Tunnel {
    let mut tunnel = Tunnel::default();
    assert_eq!(tunnel.on(Input::Wanted(true), at(0), 0.0), []);
    assert_eq!(*tunnel.state(), State::SignedOut(None));
    assert_eq!(tunnel.on(Input::SignedIn(true), at(0), 0.0), [Effect::Dial(ConnId(1))]);
    assert_eq!(tunnel.on(Input::Opened(ConnId(1)), at(0), 0.0), []);
    assert_eq!(*tunnel.state(), State::Up { conn: ConnId(1), since: at(0) });
    tunnel
}

#[test]
fn a_lost_link_is_dialled_again_within_a_second() {
    let mut tunnel = up();
    assert_eq!(tunnel.on(Input::Ended(ConnId(1), lost()), at(100), 0.9), []);
    let due = tunnel.deadline().unwrap();
    assert!(at(100).until(due) <= Duration::from_secs(1));
    assert_eq!(tunnel.on(Input::Tick, at(100), 0.9), [], "not before its time");
    assert_eq!(tunnel.on(Input::Tick, due, 0.9), [Effect::Dial(ConnId(2))]);
}

#[test]
fn what_a_dead_connection_still_says_is_not_believed() {
    let mut tunnel = up();
    tunnel.on(Input::Ended(ConnId(1), lost()), at(100), 0.0);
    tunnel.on(Input::Nudge, at(100), 0.0);
    tunnel.on(Input::Opened(ConnId(1)), at(101), 0.0);
    assert!(matches!(tunnel.state(), State::Dialling { conn: ConnId(2), .. }));
    tunnel.on(Input::Ended(ConnId(1), Failure::Refused(Refused::SignIn)), at(101), 0.0);
    assert!(matches!(tunnel.state(), State::Dialling { conn: ConnId(2), .. }));
}

#[test]
fn a_dial_that_hangs_is_dropped_at_its_deadline() {
    let mut tunnel = Tunnel::default();
    tunnel.on(Input::SignedIn(true), at(0), 0.0);
    tunnel.on(Input::Wanted(true), at(0), 0.0);
    assert_eq!(tunnel.deadline(), Some(at(15)));
    assert_eq!(tunnel.on(Input::Tick, at(15), 0.0), [Effect::Hangup(ConnId(1))]);
    assert!(matches!(tunnel.state(), State::Waiting { why: Lost::TimedOut, .. }));
}

#[test]
fn waits_grow_through_a_flapping_link_and_start_short_after_a_lasting_one() {
    let mut tunnel = up();
    tunnel.on(Input::Ended(ConnId(1), lost()), at(100), 1.0);
    let mut now = at(100);
    let mut conn = 1;
    while now < at(700) {
        now = tunnel.deadline().unwrap();
        tunnel.on(Input::Tick, now, 1.0);
        conn += 1;
        tunnel.on(Input::Opened(ConnId(conn)), now, 1.0);
        now += Duration::from_secs(2);
        tunnel.on(Input::Ended(ConnId(conn), lost()), now, 1.0);
    }
    assert!(now.until(tunnel.deadline().unwrap()) >= Duration::from_secs(55), "two seconds up are no recovery");
    now = tunnel.deadline().unwrap();
    tunnel.on(Input::Tick, now, 1.0);
    tunnel.on(Input::Opened(ConnId(conn + 1)), now, 1.0);
    now += LASTING;
    tunnel.on(Input::Ended(ConnId(conn + 1), lost()), now, 1.0);
    assert_eq!(now.until(tunnel.deadline().unwrap()), Duration::from_secs(1));
}

#[test]
fn a_refused_sign_in_forgets_the_credential_and_waits_for_a_person() {
    let mut tunnel = up();
    let refused = Failure::Refused(Refused::Revoked);
    assert_eq!(tunnel.on(Input::Ended(ConnId(1), refused), at(5), 0.0), [Effect::ForgetCredential]);
    assert_eq!(*tunnel.state(), State::SignedOut(Some(Refused::Revoked)));
    assert_eq!(tunnel.deadline(), None, "no retry storm");
    assert_eq!(tunnel.on(Input::Nudge, at(6), 0.0), []);
    assert_eq!(tunnel.on(Input::SignedIn(true), at(7), 0.0), [Effect::Dial(ConnId(2))]);
}

#[test]
fn another_refusal_is_looked_at_again_only_slowly_or_when_nudged() {
    let mut tunnel = up();
    tunnel.on(Input::Ended(ConnId(1), Failure::Refused(Refused::NotPorten("HTTP 404".into()))), at(5), 0.0);
    assert_eq!(tunnel.deadline(), Some(at(305)));
    assert_eq!(tunnel.on(Input::Nudge, at(6), 0.0), [Effect::Dial(ConnId(2))]);
}

#[test]
fn the_hubs_retry_after_is_honoured() {
    let mut tunnel = up();
    let busy = Lost::Busy { status: 503, retry_after: Some(Duration::from_secs(40)) };
    tunnel.on(Input::Ended(ConnId(1), Failure::Lost(busy)), at(50), 0.0);
    assert_eq!(tunnel.deadline(), Some(at(90)));
}

#[test]
fn going_offline_hangs_up_whatever_is_there() {
    let mut tunnel = up();
    assert_eq!(tunnel.on(Input::Wanted(false), at(9), 0.0), [Effect::Hangup(ConnId(1))]);
    assert_eq!(*tunnel.state(), State::Off);
    assert_eq!(tunnel.on(Input::Tick, at(999), 0.0), []);
    assert_eq!(tunnel.on(Input::Wanted(true), at(1000), 0.0), [Effect::Dial(ConnId(2))]);
}
