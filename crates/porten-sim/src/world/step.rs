//! Lets time pass: every change that has fallen due happens at its own moment, in order, however late somebody looks.

use std::sync::Arc;

use super::life::Phase;
use super::tasks::head;
use super::{Now, Placed, World, pace};
use crate::documents::instance::Instance;
use crate::documents::task::{BoundInstance, Task, TaskHead, TaskStatus};

impl World {
    /// Brings the cluster to this moment. Time that is past already changes nothing.
    pub(crate) fn advance(&mut self, now: Now) {
        while let Some(due) = self.deadline().filter(|due| *due <= now) {
            self.now = self.now.max(due);
            self.settle();
        }
        self.now = self.now.max(now);
    }

    /// When something will happen by itself.
    pub(crate) fn deadline(&self) -> Option<Now> {
        let lives = self.instances.iter().filter(|placed| !self.is_stuck(&placed.instance));
        let lives = lives.filter_map(|placed| placed.life.deadline());
        let generations = self.generations.iter().filter_map(super::Generation::deadline);
        lives.chain(generations).chain(self.downloads.deadline()).chain(self.trouble_deadline()).min()
    }

    /// Does what can be done at this moment.
    pub(super) fn settle(&mut self) {
        self.suffer();
        self.events += self.downloads.step(self.now) as u64;
        for place in 0..self.instances.len() {
            self.live(place);
        }
        self.finish();
        self.admit();
    }

    /// Moves an instance on as far as it goes.
    fn live(&mut self, place: usize) {
        loop {
            let Some(instance) = self.instances.get(place).map(|placed| Arc::clone(&placed.instance)) else { return };
            if self.is_stuck(&instance) {
                return;
            }
            let Some(placed) = self.instances.get_mut(place) else { return };
            let fetched = |node: &str| self.downloads.is_complete(node, instance.model());
            let is_downloaded = instance.assignments().node_to_runner.names().all(fetched);
            let entered = if placed.life.is_load_due(self.now) && self.trouble.take_failing_load() {
                placed.life.fail(self.now);
                Some(Phase::Failed)
            } else {
                placed.life.step(self.now, is_downloaded)
            };
            let is_fetching = placed.life.is_fetching();
            if is_fetching {
                self.fetch(&instance);
            }
            let Some(phase) = entered else { return };
            self.events += 1;
            self.note(&instance, phase);
        }
    }

    /// Begins the downloads that an instance waits for; one that was cancelled meanwhile begins anew.
    fn fetch(&mut self, instance: &Instance) {
        for runner in instance.runners() {
            if self.member(runner.node).is_none() || !self.downloads.begin(runner.node, runner.shard, self.now) {
                continue;
            }
            self.events += 1;
            let head = head(self.luck.uuid(), TaskStatus::Running, instance.id());
            self.tasks.add(Task::DownloadModel { head, shard_metadata: runner.shard.clone() });
        }
    }

    /// Writes the tasks of a phase. exo leaves `DownloadModel` running for ever.
    fn note(&mut self, instance: &Arc<Instance>, phase: Phase) {
        match phase {
            Phase::Spawning => {
                for runner in instance.runners() {
                    let bound_instance = BoundInstance {
                        instance: Arc::clone(instance),
                        bound_runner_id: runner.id.to_owned(),
                        bound_node_id: runner.node.to_owned(),
                    };
                    let head = head(self.luck.uuid(), TaskStatus::Pending, instance.id());
                    self.tasks.add(Task::CreateRunner { head, bound_instance });
                }
            }
            Phase::Downloading => self.set_each(instance, TaskStatus::Complete, is_create),
            Phase::Idle => self.add_each(instance, TaskStatus::Pending, |head| Task::LoadModel { head }),
            Phase::Loading => self.set_each(instance, TaskStatus::Running, is_load),
            Phase::Loaded => self.set_each(instance, TaskStatus::Complete, is_load),
            Phase::WarmingUp => self.add_each(instance, TaskStatus::Running, |head| Task::StartWarmup { head }),
            Phase::Ready => self.set_each(instance, TaskStatus::Complete, is_warm_up),
            Phase::Accepted | Phase::Connecting | Phase::Connected | Phase::Failed | Phase::Phantom => {}
        }
    }

    fn add_each(&mut self, instance: &Instance, status: TaskStatus, task: impl Fn(TaskHead) -> Task) {
        for _ in instance.runners() {
            self.tasks.add(task(head(self.luck.uuid(), status, instance.id())));
        }
    }

    fn set_each(&mut self, instance: &Instance, status: TaskStatus, is_sort: impl Fn(&Task) -> bool) {
        self.tasks.set_each(instance.id(), status, is_sort);
    }

    /// Ends requests that have said all.
    fn finish(&mut self) {
        for generation in &mut self.generations {
            if generation.step(self.now) {
                self.tasks.set(&generation.task, TaskStatus::Complete);
                self.events += 1;
            }
        }
    }

    /// Starts requests that wait, in the order they came.
    fn admit(&mut self) {
        for Placed { instance, life } in &self.instances {
            let of_instance = |generation: &&mut super::Generation| generation.instance == instance.id();
            let running = self.generations.iter().filter(|one| one.instance == instance.id() && one.is_running());
            let is_able = life.is_ready() && !self.is_stuck(instance);
            let free = if is_able { pace::CONCURRENT.saturating_sub(running.count()) } else { 0 };
            let waiting = self.generations.iter_mut().filter(of_instance).filter(|one| one.is_waiting());
            for generation in waiting.take(free) {
                generation.start(self.now);
                self.tasks.set(&generation.task, TaskStatus::Running);
                self.events += 1;
            }
        }
    }
}

const fn is_create(task: &Task) -> bool {
    matches!(task, Task::CreateRunner { .. })
}

const fn is_load(task: &Task) -> bool {
    matches!(task, Task::LoadModel { .. })
}

const fn is_warm_up(task: &Task) -> bool {
    matches!(task, Task::StartWarmup { .. })
}
