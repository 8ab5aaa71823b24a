//! What can be asked of a cluster. Each command happens at the moment to which the world has been advanced.

use std::sync::Arc;

use serde_json::Value;

use super::generation::{Generation, Heard, Next};
use super::life::Life;
use super::placement::Wish;
use super::tasks::head;
use super::{Placed, World};
use crate::chat::answer::Answer;
use crate::documents::instance::{Instance, ShardMetadata};
use crate::documents::runner::RunnerStatus;
use crate::documents::task::{Task, TaskStatus};

/// Instances at a time; exo has no limit but memory, and takes those that are sent in without looking at it.
const MAX_INSTANCES: usize = 64;

impl World {
    /// An id for a command.
    pub(crate) fn command_id(&mut self) -> String {
        self.luck.uuid()
    }

    /// Places a model as exo's master does: if there is no place, nothing happens and nobody is told.
    pub(crate) fn place(&mut self, wish: &Wish) {
        if self.is_deaf() {
            return;
        }
        match self.placement(wish) {
            Ok(instance) => self.create(instance),
            Err(reason) => tracing::info!(model = wish.card.model_id, %reason, "not placed"),
        }
    }

    /// Takes an instance as it is sent in. One that is there already stays as it is.
    pub(crate) fn create(&mut self, instance: Instance) {
        if self.is_deaf() {
            return;
        }
        let is_there = self.instances.iter().any(|placed| placed.instance.id() == instance.id());
        if is_there || self.instances.len() >= MAX_INSTANCES {
            tracing::info!(model = instance.model(), is_there, "not placed");
            return;
        }
        let is_shared = instance.assignments().node_to_runner.len() > 1;
        tracing::info!(instance = instance.id(), model = instance.model(), "placed");
        self.instances.push(Placed { instance: Arc::new(instance), life: Life::begin(is_shared, self.now) });
        self.events += 1;
    }

    /// Deletes an instance with all its requests; whether it was there.
    pub(crate) fn delete(&mut self, id: &str) -> bool {
        if !self.knows_instances() {
            return false;
        }
        let found = self.instances.iter().position(|placed| placed.life.is_visible() && placed.instance.id() == id);
        let Some(place) = found else { return false };
        if self.is_deaf() {
            return true;
        }
        let Placed { instance, life } = self.instances.remove(place);
        tracing::info!(instance = id, model = instance.model(), "deleted");
        let cut: Vec<String> = self.active_on(id).map(|one| one.command.clone()).collect();
        for command in cut {
            self.cancel(&command);
        }
        for runner in instance.runners().filter(|_| !life.is_fetching()) {
            let head = head(self.luck.uuid(), TaskStatus::Pending, id);
            self.tasks.add(Task::Shutdown { head, runner_id: runner.id.to_owned() });
            let said = if life.has_failed() { RunnerStatus::failed() } else { RunnerStatus::RunnerShuttingDown {} };
            self.leave(runner.id, said);
        }
        self.stop_fetching(&instance);
        self.events += 1;
        true
    }

    /// Starts a download by hand; a node or a card that is not there does nothing.
    pub(crate) fn start_download(&mut self, node: &str, shard: &ShardMetadata) {
        let is_known = self.member(node).is_some() && self.card(&shard.shard().model_card.model_id).is_some();
        if is_known && !self.is_deaf() && self.downloads.begin(node, shard, self.now) {
            self.events += 1;
        }
    }

    pub(crate) fn cancel_download(&mut self, node: &str, model: &str) {
        if !self.is_deaf() && self.downloads.cancel(node, model, self.now) {
            self.events += 1;
            self.settle();
        }
    }

    /// Removes a model's files from a node.
    pub(crate) fn delete_download(&mut self, node: &str, model: &str) {
        if !self.is_deaf() && self.downloads.delete(node, model) {
            self.events += 1;
            self.settle();
        }
    }

    /// Whether some node has all of a model's files.
    pub(crate) fn is_downloaded(&self, model: &str) -> bool {
        self.downloads.is_anywhere(model)
    }

    /// Takes a request for text to the least busy instance of a model; its command, or nothing if there is no instance.
    pub(crate) fn ask(&mut self, model: &str, is_stream: bool, answer: Answer, task_params: Value) -> Option<String> {
        let of_model = self.visible().filter(|placed| placed.instance.model() == model);
        let least_busy = of_model.min_by_key(|placed| self.active_on(placed.instance.id()).count())?;
        let instance = least_busy.instance.id().to_owned();
        let (command_id, task_id) = (self.luck.uuid(), self.luck.uuid());
        self.tasks.add(Task::TextGeneration {
            head: head(task_id.clone(), TaskStatus::Pending, &instance),
            command_id: command_id.clone(),
            task_params,
            error_type: None,
            error_message: None,
        });
        let fate = self.trouble.fate(model, is_stream);
        self.generations.push(Generation::new(command_id.clone(), task_id, instance, answer, fate));
        self.events += 1;
        self.settle();
        Some(command_id)
    }

    /// What a request has to tell that it has not told yet.
    pub(crate) fn listen(&mut self, command: &str) -> Heard {
        if let Some(next) = self.is_mute() {
            return Heard::nothing(next);
        }
        let now = self.now;
        let found = self.generations.iter_mut().find(|one| one.command == command);
        found.map_or(Heard::nothing(Next::Over), |one| one.listen(now))
    }

    /// Ends a request from outside; whether it was under way.
    pub(crate) fn cancel(&mut self, command: &str) -> bool {
        let found = self.generations.iter_mut().find(|one| one.command == command && one.is_active());
        let Some(generation) = found else { return false };
        generation.cut();
        let (task, instance) = (generation.task.clone(), generation.instance.clone());
        self.tasks.set(&task, TaskStatus::Cancelled);
        let runners = self.instance(&instance).map(Arc::clone);
        for runner in runners.iter().flat_map(|instance| instance.runners()) {
            let head = head(self.luck.uuid(), TaskStatus::Complete, &instance);
            let runner_id = runner.id.to_owned();
            self.tasks.add(Task::CancelTask { head, cancelled_task_id: task.clone(), runner_id });
        }
        self.events += 1;
        self.settle();
        true
    }

    /// Forgets a request whose client has heard all, or has left: then it is cancelled.
    pub(crate) fn hang_up(&mut self, command: &str) {
        self.cancel(command);
        if let Some(place) = self.generations.iter().position(|one| one.command == command) {
            let task = self.generations.remove(place).task;
            self.tasks.finish(&task);
            self.events += 1;
        }
    }

    pub(super) fn active_on(&self, instance: &str) -> impl Iterator<Item = &Generation> {
        self.generations.iter().filter(move |one| one.instance == instance && one.is_active())
    }

    /// Cancels downloads that nobody wants any more.
    pub(super) fn stop_fetching(&mut self, instance: &Instance) {
        let model = instance.model();
        for node in instance.assignments().node_to_runner.names() {
            let mut others = self.instances.iter().map(|placed| placed.instance.assignments());
            if !others.any(|other| other.model_id == model && other.node_to_runner.get(node).is_some()) {
                self.downloads.cancel(node, model, self.now);
            }
        }
    }
}
