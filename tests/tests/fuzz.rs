//! Each reader of strangers' bytes, for a moment. `make fuzz` runs them for minutes.

use porten_tests::fuzz::TARGETS;

/// Inputs for each reader: a few seconds for all of them, unoptimised, on a busy machine.
const CASES: u32 = 3000;

#[test]
fn no_bytes_break_a_reader_or_one_of_its_laws() {
    std::thread::scope(|scope| {
        let running = TARGETS.map(|target| (target.name, scope.spawn(move || target.briefly(CASES))));
        for (name, thread) in running {
            match thread.join() {
                Ok(outcome) => assert_eq!(outcome, Ok(())),
                Err(_) => panic!("{name}: a seed of its own breaks it"),
            }
        }
    });
}
