//! Which of the places that exo offers is taken.

use crate::exo::{How, Instance, Preview, rank};

/// What becomes of exo's offer.
pub(super) enum Picked {
    Place(Preview),
    Unfit(String),
}

/// The best place that fits; or the best one, where a person wants it anyway; else why the best one does not fit.
pub(super) fn pick(
    mut places: Vec<Preview>,
    how: How,
    judge: impl Fn(&Instance) -> Result<(), String>,
) -> Result<Picked, String> {
    if places.is_empty() {
        return Err("exo finds no place for it".to_owned());
    }
    places.retain(|place| how.is(&place.instance));
    rank(&mut places);
    let mut why = None;
    for place in &places {
        match judge(&place.instance) {
            Ok(()) => return Ok(Picked::Place(place.clone())),
            Err(reason) => why = why.or(Some(reason)),
        }
    }
    match (why, places.into_iter().next()) {
        (_, Some(best)) if how.anyway => Ok(Picked::Place(best)),
        (Some(why), _) => Ok(Picked::Unfit(why)),
        (None, _) => Err("exo finds no place for it in the way that was chosen".to_owned()),
    }
}
