//! Somebody else at exo's dashboard.

use super::super::World;

impl World {
    /// Deletes the first instance of a model; without one nothing happens.
    pub(super) fn someone_deletes(&mut self, model: &str) {
        if let Some(id) = self.instance_of(model).map(|instance| instance.id().to_owned()) {
            self.delete(&id);
        }
    }

    /// Places a model where a person would; if there is no place, nothing happens.
    pub(super) fn someone_places(&mut self, model: &str) {
        let Some(card) = self.card(model) else { return };
        match self.best_placement(&card) {
            Ok(instance) => self.create(instance),
            Err(reason) => tracing::info!(model, %reason, "not placed"),
        }
    }
}
