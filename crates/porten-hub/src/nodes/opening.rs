//! A tunnel that is being opened takes its place among the connected before it has joined them, so that no account opens
//! more than it may have.

use std::sync::Arc;

use porten_link::http2::DATA_FRAME_BUDGET;

use super::{Account, Inside, MAX_ACCOUNT_NODES, Nodes};

/// So many nodes of an account may each leave as many small frames unread as one is thought to need.
const WHOLE_BUDGETS: usize = 4;
/// Of what these may, each further node may this part: 33 readers that stall. So an account's unread frames take half a
/// gigabyte at most, not four.
const PART: usize = 16;

/// Why no tunnel may be opened now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The Hub has as many nodes as it takes, or stops.
    Hub,
    /// The account has as many as one may have.
    Account,
}

/// The place of a tunnel that is being opened; given back when dropped.
#[derive(Debug)]
pub(crate) struct Opening {
    nodes: Arc<Nodes>,
    account: i64,
    /// Nodes of the account that were there before, those being opened among them.
    before: usize,
}

impl Opening {
    /// What it may leave unread in small frames (`porten_link::http2`).
    pub(crate) const fn frame_budget(&self) -> usize {
        if self.before < WHOLE_BUDGETS { DATA_FRAME_BUDGET } else { DATA_FRAME_BUDGET / PART }
    }
}

impl Nodes {
    /// Whether a tunnel may be opened for this node. A node that is connected may come again, whatever is full: it takes
    /// its own place.
    pub(crate) fn open(self: &Arc<Self>, account: i64, node: &str) -> Result<Opening, Full> {
        let mut inside = self.lock();
        match self.is_full(&inside, account, node) {
            Some(full) => Err(full),
            None => {
                inside.opening += 1;
                let own = inside.accounts.entry(account).or_default();
                let before = own.live.len() + own.opening;
                own.opening += 1;
                Ok(Opening { nodes: Arc::clone(self), account, before })
            }
        }
    }

    pub(super) fn is_full(&self, inside: &Inside, account: i64, node: &str) -> Option<Full> {
        let own = inside.accounts.get(&account);
        let opening = own.map_or(0, |own| own.opening);
        let (of_hub, of_account) = if inside.live(account, node).is_some() {
            (0, opening)
        } else {
            (inside.connected + inside.opening, own.map_or(0, |own| own.live.len()) + opening)
        };
        if inside.closed || of_hub >= self.most {
            Some(Full::Hub)
        } else {
            (of_account >= MAX_ACCOUNT_NODES).then_some(Full::Account)
        }
    }
}

impl Inside {
    /// Takes something of an account away, and the account itself if nothing is left of it.
    pub(super) fn leave(&mut self, account: i64, take: impl FnOnce(&mut Account)) {
        if let Some(own) = self.accounts.get_mut(&account) {
            take(own);
            if own.live.is_empty() && own.opening == 0 {
                self.accounts.remove(&account);
            }
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let mut inside = self.nodes.lock();
        inside.opening -= 1;
        inside.leave(self.account, |account| account.opening -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_opens_only_as_many_tunnels_as_it_may_have() {
        let nodes = Arc::new(Nodes::new(MAX_ACCOUNT_NODES + 1));
        let mut own: Vec<Opening> = (0..MAX_ACCOUNT_NODES).map(|n| nodes.open(1, &n.to_string()).unwrap()).collect();
        assert_eq!(nodes.open(1, "more").unwrap_err(), Full::Account);
        let other = nodes.open(2, "a").unwrap();
        assert_eq!(nodes.open(3, "a").unwrap_err(), Full::Hub);
        let whole = own.iter().filter(|opening| opening.frame_budget() == DATA_FRAME_BUDGET).count();
        assert_eq!((whole, other.frame_budget()), (WHOLE_BUDGETS, DATA_FRAME_BUDGET), "each account by itself");
        own.pop();
        drop(other);
        assert!(nodes.open(1, "more").is_ok());
        drop(own);
        assert!(nodes.lock().accounts.is_empty());
        nodes.close();
        assert_eq!(nodes.open(1, "a").unwrap_err(), Full::Hub);
    }
}
