//! exo's list of tasks, which it hardly ever clears.

use crate::documents::task::{Task, TaskHead, TaskStatus};

/// Tasks that are kept; exo keeps all. The oldest go first, but none that is a request under way.
const MAX_TASKS: usize = 1_000;

/// All tasks, oldest first.
#[derive(Debug, Default)]
pub(super) struct Tasks(Vec<Task>);

impl Tasks {
    pub(super) fn add(&mut self, task: Task) {
        if self.0.len() >= MAX_TASKS {
            let is_done = |task: &Task| matches!(task.head().task_status, TaskStatus::Complete | TaskStatus::Cancelled);
            if let Some(oldest) = self.0.iter().position(is_done) {
                self.0.remove(oldest);
            }
        }
        self.0.push(task);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Task> {
        self.0.iter()
    }

    /// Says how a task stands; one that has been dropped stands nowhere.
    pub(super) fn set(&mut self, id: &str, status: TaskStatus) {
        if let Some(task) = self.0.iter_mut().find(|task| task.head().task_id == id) {
            task.head_mut().task_status = status;
        }
    }

    /// Takes a finished request from the list; one that was cancelled stays.
    pub(super) fn finish(&mut self, id: &str) {
        let is_it = |task: &Task| task.head().task_id == id && task.head().task_status == TaskStatus::Complete;
        self.0.retain(|task| !is_it(task));
    }

    /// Says how those tasks of an instance stand that are of this sort.
    pub(super) fn set_each(&mut self, instance: &str, status: TaskStatus, is_sort: impl Fn(&Task) -> bool) {
        let of_instance = self.0.iter_mut().filter(|task| task.head().instance_id == instance && is_sort(task));
        for task in of_instance {
            task.head_mut().task_status = status;
        }
    }
}

/// The head of a new task.
pub(super) fn head(task_id: String, task_status: TaskStatus, instance: &str) -> TaskHead {
    TaskHead { task_id, task_status, instance_id: instance.to_owned() }
}
