//! What one account, or a stranger, can do to another account's requests: each attack beside the others' steady load, and
//! the same load beside a process that burns as much processor time and touches nothing.

use std::time::{Duration, Instant};

use serde::Serialize;

mod agent;
pub(crate) mod attacker;
mod attacks;
pub(crate) mod burn;
mod house;
mod load;
mod net;
mod node;
mod table;
mod verdict;

use attacker::{Attacker, Order};
use attacks::Attack;
use burn::Fuel;
use house::House;
use table::Row;
use verdict::{Measured, Phase};

use crate::args::Isolation;
use crate::path::Engine;
use crate::runner::{RunError, print, tell};
use crate::seat::Seating;
use crate::usage::{Meter, Usage};

/// Rounds of an attack whose only breach is a late answer.
const ROUNDS: usize = 3;
/// What repeated rounds may take in all: a whole run ends within a quarter of an hour.
const REPEATS: Duration = Duration::from_secs(120);
/// After an attack its victim becomes quiet within this time, or another takes its place for the control.
const CALM: Duration = Duration::from_secs(10);

/// The length of each phase (seconds).
#[derive(Debug, Clone, Copy)]
struct Times {
    quiet: u64,
    attack: u64,
}

/// A victim of a run: a Hub or an agent.
enum Victim {
    Hub(&'static Attack),
    Agent(&'static agent::Attack),
}

impl Victim {
    fn all() -> impl Iterator<Item = Self> {
        attacks::ALL.iter().map(Self::Hub).chain(agent::ALL.iter().map(Self::Agent))
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Hub(attack) => attack.name,
            Self::Agent(attack) => attack.name,
        }
    }

    const fn what(&self) -> &'static str {
        match self {
            Self::Hub(attack) => attack.what,
            Self::Agent(attack) => attack.what,
        }
    }

    const fn bound(&self) -> u64 {
        match self {
            Self::Hub(attack) => attack.bound,
            Self::Agent(attack) => attack.bound,
        }
    }
}

/// All attacks, a line each.
pub(crate) fn list() -> String {
    Victim::all().map(|victim| format!("{:20} {}\n", victim.name(), victim.what())).collect()
}

/// Runs them; whether every promise was kept.
pub(crate) async fn run(wishes: &Isolation) -> Result<bool, RunError> {
    if let Some(name) = wishes.only.as_deref().filter(|name| !Victim::all().any(|victim| victim.name() == *name)) {
        return Err(RunError::NoSuchAttack(name.to_owned()));
    }
    let times = if wishes.quick { Times { quiet: 3, attack: 4 } } else { Times { quiet: 4, attack: 8 } };
    let begun = Instant::now();
    let build = if std::env::var_os("PORTEN_BIN").is_some() {
        "the programs that PORTEN_BIN names"
    } else if cfg!(debug_assertions) {
        "a debug build"
    } else {
        "a release build"
    };
    tell(&format!("isolation, with {build}"));
    let engine = Engine::start(Seating::Free).await?;
    let mut rows = Vec::new();
    let mut spent = Duration::ZERO;
    for victim in Victim::all().filter(|victim| wishes.only.as_deref().is_none_or(|only| only == victim.name())) {
        tell(&format!("{}: {}", victim.name(), victim.what()));
        let mut rounds = Vec::new();
        let mut broken = None;
        while rounds.len() < ROUNDS {
            let round_begun = Instant::now();
            match round(&victim, &engine, times).await {
                Ok(measured) => rounds.push(measured),
                Err(why) => {
                    broken = Some(why);
                    break;
                }
            }
            if rounds.len() > 1 {
                spent += round_begun.elapsed();
            }
            let breaches = rounds.last().map(|last| verdict::breaches(last, victim.bound())).unwrap_or_default();
            let is_only_late = breaches.len() == 1 && rounds.last().is_some_and(verdict::is_late);
            if !is_only_late && rounds.len() == 1 || wishes.quick || spent > REPEATS {
                break;
            }
        }
        let measured = verdict::combine(&rounds).unwrap_or_default();
        let breaches = broken
            .map_or_else(|| verdict::breaches(&measured, victim.bound()), |why| vec![format!("not measured: {why}")]);
        tell(&format!("  {}", if breaches.is_empty() { "ok".to_owned() } else { breaches.join("; ") }));
        rows.push(Row { attack: victim.name(), measured, rounds: rounds.len(), bound: victim.bound(), breaches });
    }
    tell(&format!("{} s", begun.elapsed().as_secs()));
    print(&if wishes.json { json(&rows) } else { table::draw(&rows) });
    Ok(rows.iter().all(|row| row.breaches.is_empty()))
}

fn json<T: Serialize>(rows: &[T]) -> String {
    // Numbers and strings of our own always write.
    serde_json::to_string_pretty(rows).unwrap_or_default() + "\n"
}

async fn round(victim: &Victim, engine: &Engine, times: Times) -> Result<Measured, String> {
    match victim {
        Victim::Hub(attack) => on_a_hub(attack, engine, times).await,
        Victim::Agent(attack) => agent::round(attack, times).await,
    }
}

async fn on_a_hub(attack: &Attack, engine: &Engine, times: Times) -> Result<Measured, String> {
    let house = House::start(engine, attack.files).await?;
    let id = house.hub.process().id();
    let asker = load::Asker::new(house.target.clone());
    let order = Order {
        attack: attack.name.to_owned(),
        hub: net::address(&house.target.url)?,
        seconds: times.attack,
        mallory: house.mallory.clone(),
        spare: house.spare.clone(),
        state: house.state(),
    };
    // The first requests warm connections and caches.
    load::steady(Duration::from_secs(1), |number| asker.ask(number)).await;
    let (quiet, quiet_use) =
        watched(id, load::steady(Duration::from_secs(times.quiet), |number| asker.ask(number))).await?;
    let mut attacker = Attacker::prepare(&order).await?;
    let (memory_before, log) = (porten_tests::process::resident(id).unwrap_or_default(), house.log());
    attacker.go().await?;
    let under_attack = async {
        let attacked = load::steady(Duration::from_secs(times.attack), |number| asker.ask(number)).await;
        (attacked, attacker.report(Duration::from_secs(times.attack)).await)
    };
    let ((attacked, report), attack_use) = watched(id, under_attack).await?;
    let report = report?;
    let log = house.log().saturating_sub(log) as u64;
    let seen: Vec<String> = report.seen.iter().map(|(what, times)| format!("{what}: {times}")).collect();
    tell(&format!("  {}", seen.join(", ")));
    // Its connections end with it.
    drop(attacker);
    let victim_cpu_ms = beyond(&attack_use, &quiet_use, times);
    let burned = victim_cpu_ms + report.cpu_ms;
    // Its agent may have lost its link to a Hub that was frozen.
    let control = if calm(id).await && asker.ask(0).await.is_ok() {
        control(burned, times, |number| asker.ask(number)).await?
    } else {
        // It still chokes on the attack: what a busy machine does is seen with another Hub.
        drop(house);
        let house = House::start(engine, attack.files).await?;
        let asker = load::Asker::new(house.target.clone());
        load::steady(Duration::from_secs(1), |number| asker.ask(number)).await;
        control(burned, times, |number| asker.ask(number)).await?
    };
    Ok(Measured {
        quiet,
        attack: attacked,
        control,
        victim_cpu_ms,
        attacker_cpu_ms: report.cpu_ms,
        memory_before,
        memory_peak: attack_use.peak_rss,
        log,
        findings: report.findings,
    })
}

/// Does this, and says what the process used meanwhile.
async fn watched<T>(id: u32, doing: impl Future<Output = T>) -> Result<(T, Usage), String> {
    let meter = Meter::start(id).ok_or("there is no /proc, or the attacked program is gone")?;
    let done = doing.await;
    Ok((done, meter.stop().ok_or("the attacked program is gone")?))
}

/// Processor time beyond what the quiet phase took in as much time (milliseconds).
fn beyond(attack: &Usage, quiet: &Usage, times: Times) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "both are a few seconds")]
    let share = times.attack as f64 / times.quiet as f64;
    (attack.cpu_ms - quiet.cpu_ms * share).max(0.0)
}

/// The load beside a process that burns so many milliseconds in the attack's time.
async fn control<F, A>(cpu_ms: f64, times: Times, ask: F) -> Result<Phase, String>
where
    F: FnMut(u32) -> A,
    A: Future<Output = Result<(), String>> + Send + 'static,
{
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is not negative and small")]
    let permille = cpu_ms.max(0.0) as u64 / times.attack.max(1);
    // It ends when the load has ended, not before the load's last answers.
    let burner = burn::start(Fuel { permille, seconds: times.attack + 10 })?;
    let phase = load::steady(Duration::from_secs(times.attack), ask).await;
    drop(burner);
    Ok(phase)
}

/// Waits until the process does next to nothing; whether it does.
async fn calm(id: u32) -> bool {
    let until = Instant::now() + CALM;
    while Instant::now() < until {
        let half = Duration::from_millis(500);
        let Ok(((), used)) = watched(id, tokio::time::sleep(half)).await else { return false };
        if used.cpu_ms < 25.0 {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attacks_on_hub_and_agent_have_names_of_their_own() {
        let names: Vec<_> = Victim::all().map(|victim| victim.name()).collect();
        assert!(names.iter().all(|name| list().contains(name)), "{names:?}");
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len());
    }

    #[test]
    fn what_the_attack_cost_is_what_goes_beyond_the_quiet_load() {
        let usage = |cpu_ms| Usage { peak_rss: 0, cpu_ms, waits: 0 };
        let times = Times { quiet: 4, attack: 8 };
        assert!((beyond(&usage(1000.0), &usage(100.0), times) - 800.0).abs() < 1e-9);
        assert!(beyond(&usage(10.0), &usage(100.0), times).abs() < 1e-9);
    }
}
