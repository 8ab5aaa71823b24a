use super::*;

const INTERVAL: Millis = 5000;
const LIFETIME: Millis = 600_000;

fn from(n: u32) -> ClientAddress {
    ClientAddress::new(std::net::Ipv4Addr::from_bits(n).into())
}

fn pending() -> Pending {
    Pending::new(INTERVAL)
}

fn begin(pending: &Pending, user_code: &str, from: ClientAddress, now: Millis) -> String {
    let request = Request {
        user_code: user_code.to_owned(),
        node: "n".into(),
        name: "studio".into(),
        asked: now,
        expires: now + LIFETIME,
    };
    pending.begin(request, from, now).unwrap().expose().to_owned()
}

fn flood(pending: &Pending, count: usize, from: ClientAddress, now: Millis) {
    for n in 0..count {
        begin(pending, &format!("{from}{now}{n}"), from, now);
    }
}

const YES: Decision = Decision { account: 1, epoch: 3, connect: true };

#[test]
fn a_yes_is_collected_once_and_can_be_given_back() {
    let pending = pending();
    let code = begin(&pending, "A", from(1), 0);
    assert_eq!(pending.poll(&code, from(1), 0), Some(Reply::Pending));
    assert_eq!(pending.poll(&code, from(1), 1), Some(Reply::SlowDown(10_000)));
    assert!(pending.answer("A", YES, 1));
    assert!(!pending.answer("A", Decision { connect: false, ..YES }, 1), "an answer stands");
    assert_eq!(pending.asked("A", 1), None);
    let Some(Reply::Grant(yes)) = pending.poll(&code, from(1), 2) else { panic!("no yes") };
    assert_eq!((yes.account, yes.epoch, yes.node.as_str(), yes.name.as_str()), (1, 3, "n", "studio"));
    assert_eq!(pending.poll(&code, from(1), 2), None);
    pending.give_back(&yes);
    assert_eq!(pending.poll(&code, from(1), 2), Some(Reply::Grant(yes)));
}

#[test]
fn a_no_and_an_end_are_told_as_often_as_asked() {
    let pending = pending();
    let (refused, late) = (begin(&pending, "A", from(1), 0), begin(&pending, "B", from(1), 0));
    assert!(pending.answer("A", Decision { connect: false, ..YES }, 1));
    for _ in 0..2 {
        assert_eq!(pending.poll(&refused, from(1), 1), Some(Reply::Denied));
        assert_eq!(pending.poll(&late, from(1), LIFETIME), Some(Reply::Expired));
    }
    assert!(!pending.answer("B", YES, LIFETIME));
    assert_eq!(pending.asked("B", LIFETIME), None);
    assert_eq!(pending.poll("porten_dc_0", from(1), 0), None);
    let restarted = Pending::new(INTERVAL);
    assert_eq!(restarted.poll(&late, from(1), 0), Some(Reply::Expired), "of a Hub before");
}

#[test]
fn a_flood_from_elsewhere_pushes_out_its_own_only() {
    let pending = pending();
    let honest = begin(&pending, "A", from(0), 0);
    for stranger in 1..10 {
        flood(&pending, MAX_FROM_ONE + 10, from(stranger), 1);
    }
    assert!(pending.asked("A", 2).is_some());
    assert_eq!(pending.poll(&honest, from(0), 2), Some(Reply::Pending));
    assert_eq!(pending.lock().waiting.len(), MAX_WAITING);
    begin(&pending, "B", from(0), 3);
    assert!(pending.asked("B", 3).is_some(), "there is room for the next one too");
}

#[test]
fn a_flood_from_the_same_address_spares_what_is_polled() {
    let pending = pending();
    let polled = begin(&pending, "A", from(1), 0);
    assert_eq!(pending.poll(&polled, from(1), 0), Some(Reply::Pending));
    flood(&pending, 3 * MAX_FROM_ONE, from(1), 1);
    assert!(pending.asked("A", 2).is_some());
    begin(&pending, "B", from(1), 3);
    assert!(pending.asked("B", 3).is_some(), "who comes after the flood is taken");
}

#[test]
fn a_flood_from_all_addresses_spares_what_is_polled_and_who_is_new() {
    let pending = pending();
    // Two machines of one house, and an address that is the last of all.
    let house = from(u32::MAX);
    let polled = begin(&pending, "A", house, 0);
    assert_eq!(pending.poll(&polled, house, 0), Some(Reply::Pending));
    let flood = |range: std::ops::Range<usize>| {
        for n in range {
            let at = Millis::try_from(n).unwrap();
            begin(&pending, &format!("x{n}"), from(u32::try_from(n).unwrap()), at);
        }
    };
    let half = 2 * MAX_WAITING;
    flood(0..half);
    begin(&pending, "B", house, Millis::try_from(half).unwrap());
    flood(half..half + MAX_WAITING - 10);
    assert!(pending.asked("A", 2).is_some(), "what is polled stays");
    assert!(pending.asked("B", 2).is_some(), "who is new stays until as many have come after");
    assert_eq!(pending.lock().waiting.len(), MAX_WAITING);
}

#[test]
fn a_request_that_was_pushed_out_comes_back_with_its_poll() {
    let pending = pending();
    let code = begin(&pending, "A", from(1), 0);
    flood(&pending, 2 * MAX_FROM_ONE, from(1), 1);
    assert_eq!(pending.asked("A", 2), None);
    assert_eq!(pending.poll(&code, from(1), 5000), Some(Reply::Pending));
    flood(&pending, 2 * MAX_FROM_ONE, from(1), 5001);
    assert_eq!(pending.asked("A", 5002).unwrap().request.asked, 0, "and stays");
    assert!(pending.answer("A", YES, 5002));
    assert!(matches!(pending.poll(&code, from(1), 5003), Some(Reply::Grant(_))));
}

#[test]
fn only_those_that_wait_take_room() {
    let pending = pending();
    for n in 0..MAX_FROM_ONE {
        let user_code = format!("{n}");
        begin(&pending, &user_code, from(1), 0);
        assert!(pending.answer(&user_code, Decision { connect: false, account: (n % 3) as i64, ..YES }, 0));
    }
    assert!(
        pending.lock().waiting.is_empty() && pending.lock().crowds.is_empty() && pending.lock().by_address.is_empty()
    );
    assert_eq!(pending.lock().answered.len(), 3 * MAX_ANSWERS);
    flood(&pending, MAX_FROM_ONE, from(1), 1);
    begin(&pending, "A", from(1), 1 + LIFETIME);
    assert_eq!(pending.lock().waiting.len(), 1, "what has expired goes");
    assert!(pending.answer("A", YES, 1 + LIFETIME));
    assert_eq!(pending.lock().answered.len(), 1);
}

#[test]
fn a_user_code_is_not_given_twice() {
    let pending = pending();
    begin(&pending, "A", from(1), 0);
    let again = Request { user_code: "A".into(), node: "n".into(), name: "x".into(), asked: 0, expires: 9 };
    assert!(pending.begin(again, from(2), 0).is_none());
}
