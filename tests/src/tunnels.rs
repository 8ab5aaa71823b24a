//! Counts at the Hub, from what it logs: how many tunnels a node ever had at once.

use crate::hub::Hub;

/// How a Hub was connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tunnels {
    /// How many there were in all.
    pub opened: u32,
    /// The most at one time.
    pub most: u32,
    /// How often one took the place of another that still stood.
    pub replaced: u32,
}

/// Counts them. The Hub must log at `info` or more.
#[must_use]
pub fn count(hub: &Hub) -> Tunnels {
    read(&hub.process().stderr())
}

fn read(log: &str) -> Tunnels {
    let mut told = Tunnels { opened: 0, most: 0, replaced: 0 };
    let mut open = 0u32;
    for line in log.lines() {
        if line.contains("a node said hello") {
            told.opened += 1;
            open += 1;
            told.most = told.most.max(open);
        } else if line.contains("the tunnel ended") || line.contains("the tunnel is closed") {
            told.replaced += u32::from(line.contains("Replaced"));
            open = open.saturating_sub(1);
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_at_once_are_seen() {
        let (hello, end) = ("x a node said hello\n", "x the tunnel ended end=Closed\n");
        let count = |lines: &[&str]| read(&lines.concat());
        assert_eq!(count(&[hello, end, hello, end]), Tunnels { opened: 2, most: 1, replaced: 0 });
        let replaced = "x the tunnel is closed farewell=Replaced\n";
        assert_eq!(count(&[hello, hello, replaced, end]), Tunnels { opened: 2, most: 2, replaced: 1 });
    }
}
