//! `/node_id`, and `/state` with every path into it.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::Value;

use super::answer::Refusal;
use super::{Answered, Shared, answer};
use crate::documents::state;

pub(super) async fn node_id(State(sim): Shared) -> Response {
    answer::ok(&sim.with(|world| world.node_id().to_owned()))
}

pub(super) async fn whole(State(sim): Shared) -> Response {
    answer::ok(&sim.with(|world| world.state()))
}

pub(super) async fn part(State(sim): Shared, Path(path): Path<String>) -> Answered {
    let state = sim.with(|world| world.state());
    let missing = || Refusal::not_found(format!("unable to find path '{}' in state json", path.replace('/', ".")));
    find(&state, &path).map(|part| answer::ok(&part)).ok_or_else(missing)
}

fn find(state: &state::State, path: &str) -> Option<Value> {
    let mut steps = path.split('/').filter(|step| !step.is_empty());
    let section = steps.next()?;
    let mut part = state.section(section)?;
    if section == "lastSeen" {
        python_times(&mut part);
    }
    for step in steps {
        part = match part {
            Value::Object(mut object) => object.remove(step)?,
            Value::Array(mut list) => list.swap_remove(index(step, list.len())?),
            // exo walks on over what has no parts.
            plain => plain,
        };
    }
    Some(part)
}

/// An index as Python takes it: -1 is the last.
fn index(step: &str, length: usize) -> Option<usize> {
    let number: isize = step.parse().ok()?;
    let place = if number < 0 { length.checked_add_signed(number)? } else { number.unsigned_abs() };
    (place < length).then_some(place)
}

/// A path goes through another writer than the whole: times end in `+00:00` there.
fn python_times(times: &mut Value) {
    for time in times.as_object_mut().into_iter().flat_map(|object| object.values_mut()) {
        if let Some(text) = time.as_str().and_then(|text| text.strip_suffix('Z')) {
            *time = Value::String(format!("{text}+00:00"));
        }
    }
}
