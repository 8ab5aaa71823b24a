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

/// Fault A5: after a lasting link the first try comes within a second, before any longer wait.
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

/// Fault A10: a dial that hangs anywhere is given up after 15 s in all, and counts as a failure.
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
    assert_eq!(tunnel.on(Input::Stirred, at(51), 0.0), [], "a wake is no reason to knock before");
    assert_eq!(tunnel.deadline(), Some(at(90)));
    assert_eq!(tunnel.on(Input::Nudge, at(52), 0.0), [Effect::Dial(ConnId(2))], "a person is");
}

#[test]
fn those_who_were_told_the_same_time_do_not_come_back_as_one() {
    let mut tunnel = up();
    let busy = Lost::Busy { status: 503, retry_after: Some(Duration::from_secs(40)) };
    tunnel.on(Input::Ended(ConnId(1), Failure::Lost(busy)), at(50), 0.5);
    assert_eq!(tunnel.deadline(), Some(at(100)));
}

/// Fault A6: after a sleep a link that was up is probed, and a waiting tunnel dials at once, its next waits short again.
/// Fault A7: the same after a change of the network.
#[test]
fn a_change_around_the_machine_probes_what_is_up_and_dials_without_leftover_waits() {
    let mut tunnel = up();
    assert_eq!(tunnel.on(Input::Stirred, at(50), 0.0), [Effect::Probe(ConnId(1))]);
    assert_eq!(*tunnel.state(), State::Up { conn: ConnId(1), since: at(0) }, "until the probe has its answer");
    assert_eq!(tunnel.on(Input::Ended(ConnId(1), lost()), at(53), 1.0), [Effect::Dial(ConnId(2))], "it had none");
    tunnel.on(Input::Ended(ConnId(2), lost()), at(53), 1.0);
    assert_eq!(at(53).until(tunnel.deadline().unwrap()), Duration::from_secs(1), "once, and then with waits");
    let mut tunnel = up();
    assert_eq!(tunnel.on(Input::Stirred, at(50), 0.0), [Effect::Probe(ConnId(1))]);
    tunnel.on(Input::Ended(ConnId(1), lost()), at(100), 1.0);
    let mut now = at(100);
    for conn in 2..40 {
        now = tunnel.deadline().unwrap();
        assert_eq!(tunnel.on(Input::Tick, now, 1.0), [Effect::Dial(ConnId(conn))]);
        tunnel.on(Input::Ended(ConnId(conn), lost()), now, 1.0);
    }
    assert!(now.until(tunnel.deadline().unwrap()) > Duration::from_secs(3), "the waits have grown");
    assert_eq!(tunnel.on(Input::Stirred, now, 1.0), [Effect::Dial(ConnId(40))]);
    tunnel.on(Input::Ended(ConnId(40), lost()), now, 1.0);
    assert_eq!(now.until(tunnel.deadline().unwrap()), Duration::from_secs(1));
}

#[test]
fn a_dial_that_began_before_the_change_begins_anew() {
    let mut tunnel = Tunnel::default();
    tunnel.on(Input::SignedIn(true), at(0), 0.0);
    tunnel.on(Input::Wanted(true), at(0), 0.0);
    assert_eq!(tunnel.on(Input::Stirred, at(9), 0.0), [Effect::Hangup(ConnId(1)), Effect::Dial(ConnId(2))]);
    assert_eq!(tunnel.deadline(), Some(at(24)));
}

/// Fault A12: who was replaced stays away for five minutes, whatever the network does; only a person ends that sooner.
#[test]
fn who_was_replaced_is_not_brought_back_by_a_wake_or_another_network() {
    for (why, until, stays) in [
        (Refused::Replaced, 305.0, true),
        (Refused::Forbidden("HTTP 403".into()), 305.0, true),
        (Refused::NotPorten("HTTP 302".into()), 305.0, false),
        (Refused::Certificate(Certificate::UnknownIssuer("Hotel".into())), 27.5, false),
        (Refused::CaptivePortal(Some("login.hotel.test".into())), 27.5, false),
        (Refused::Proxy("the proxy proxy.test:3128 asks for a password".into()), 305.0, false),
    ] {
        let mut tunnel = up();
        tunnel.on(Input::Ended(ConnId(1), Failure::Refused(why.clone())), at(5), 0.0);
        assert_eq!(tunnel.deadline().unwrap().since_start(), Duration::from_secs_f64(until), "{why}");
        assert_eq!(tunnel.on(Input::Stirred, at(6), 0.0).is_empty(), stays, "{why}");
    }
}

/// Somebody signs in at a hotel's page: nothing changes on this machine, and the Hub is found within a minute.
#[test]
fn a_captive_portal_is_left_within_a_minute() {
    let mut luck = lucky(3);
    for _ in 0..1000 {
        let mut tunnel = up();
        let (mut now, mut conn) = (at(5), 1);
        for _ in 0..100 {
            let portal = Refused::Certificate(Certificate::OtherName);
            tunnel.on(Input::Ended(ConnId(conn), Failure::Refused(portal)), now, luck());
            let due = tunnel.deadline().unwrap();
            assert!(now.until(due) + DIAL_DEADLINE <= Duration::from_secs(60));
            (now, conn) = (due, conn + 1);
            assert_eq!(tunnel.on(Input::Tick, now, luck()), [Effect::Dial(ConnId(conn))]);
        }
        assert!(now.since(at(5)) > Duration::from_secs(100 * 22), "and the portal is not stormed");
    }
}

/// How many of a thousand dials fall into the fullest second.
fn fullest_second(dials: &[Moment]) -> usize {
    let mut seconds = std::collections::BTreeMap::<u64, usize>::new();
    dials.iter().for_each(|dial| *seconds.entry(dial.since_start().as_secs()).or_default() += 1);
    seconds.values().copied().max().unwrap_or_default()
}

/// Numbers in `[0, 1)` that are the same in each run (a linear congruential generator with Knuth's constants).
fn lucky(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Fault A2: of 1,000 nodes of a Hub that restarts, and says over which time they may come back, no second sees more than
/// 5 %; a Hub with a few nodes has them back within a second.
#[test]
fn a_thousand_nodes_of_a_hub_that_restarts_come_back_spread_out() {
    for seed in 0..20 {
        let mut luck = lucky(seed);
        let mut dials = Vec::new();
        for _ in 0..1000 {
            let mut tunnel = up();
            let restart = Lost::Restart { within: Duration::from_secs(40) };
            tunnel.on(Input::Ended(ConnId(1), Failure::Lost(restart)), at(100), luck());
            let due = tunnel.deadline().unwrap();
            assert_eq!(tunnel.on(Input::Tick, due, luck()), [Effect::Dial(ConnId(2))]);
            dials.push(due);
        }
        assert!(fullest_second(&dials) <= 50, "seed {seed}: {}", fullest_second(&dials));
        assert!(dials.iter().all(|dial| at(100).until(*dial) <= Duration::from_secs(40)));
    }
    let mut tunnel = up();
    let restart = Lost::Restart { within: Duration::ZERO };
    tunnel.on(Input::Ended(ConnId(1), Failure::Lost(restart)), at(100), 0.999);
    assert!(at(100).until(tunnel.deadline().unwrap()) <= Duration::from_secs(1));
}

/// Fault A1: while no Hub is there, waits grow to a minute at most, so an hour costs some hundred tries; one that comes
/// back after a minute is found within six seconds.
#[test]
fn a_hub_that_is_away_is_looked_for_ever_more_rarely_and_found_soon() {
    let mut luck = lucky(7);
    for _ in 0..1000 {
        let mut tunnel = up();
        tunnel.on(Input::Ended(ConnId(1), lost()), at(100), luck());
        let (mut now, mut conn, mut found) = (at(100), 2, None);
        while now < at(3700) {
            now = tunnel.deadline().unwrap();
            tunnel.on(Input::Tick, now, luck());
            found = found.or_else(|| now.reached(at(160)).then_some(now));
            tunnel.on(Input::Ended(ConnId(conn), lost()), now, luck());
            conn += 1;
        }
        assert!(at(160).until(found.unwrap()) <= Duration::from_secs(7), "{found:?}");
        assert!((60..160).contains(&conn), "{conn} tries in an hour");
    }
}

#[test]
fn going_offline_hangs_up_whatever_is_there() {
    let mut tunnel = up();
    assert_eq!(tunnel.on(Input::Wanted(false), at(9), 0.0), [Effect::Hangup(ConnId(1))]);
    assert_eq!(*tunnel.state(), State::Off);
    assert_eq!(tunnel.on(Input::Tick, at(999), 0.0), []);
    assert_eq!(tunnel.on(Input::Wanted(true), at(1000), 0.0), [Effect::Dial(ConnId(2))]);
}
