//! Bounds the memory that request bodies take in all: each may be 32 MiB, and 512 may come at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What all bodies together may take (KiB): eight of the largest, or a thousand long prompts.
const MOST_KIB: usize = 256 * 1024;
const KIB: usize = 1024;

/// The room there is; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Room {
    free: Arc<Semaphore>,
}

impl Default for Room {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(MOST_KIB)) }
    }
}

impl Room {
    /// A part of it, empty at first; free again when it is dropped.
    pub(super) fn part(&self) -> Part {
        Part { room: self.clone(), taken: None }
    }
}

/// What one body takes.
#[derive(Debug)]
pub(super) struct Part {
    room: Room,
    taken: Option<OwnedSemaphorePermit>,
}

impl Part {
    /// Makes it large enough for `bytes` in all; whether there was room.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let has = self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Ok(more) = u32::try_from(bytes.div_ceil(KIB).saturating_sub(has)) else { return false };
        if more == 0 {
            return true;
        }
        let Ok(fresh) = Arc::clone(&self.room.free).try_acquire_many_owned(more) else { return false };
        match &mut self.taken {
            Some(taken) => taken.merge(fresh),
            None => self.taken = Some(fresh),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_share_one_room_and_give_it_back() {
        let room = Room::default();
        let (mut large, mut late) = (room.part(), room.part());
        assert!(large.grow(1) && large.grow(MOST_KIB * KIB - KIB) && late.grow(KIB));
        assert!(!late.grow(KIB + 1), "full");
        drop(large);
        assert!(late.grow(MOST_KIB * KIB));
        assert!(!late.grow(MOST_KIB * KIB + 1));
    }
}
