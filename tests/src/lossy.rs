//! A long, lossy line inside a network namespace: packets of a port are held for a while, and some are lost. For kernels
//! without a queueing discipline that does it (netem).

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nfq::{Message, Queue, Verdict};

/// How long the holder rests when nothing is due.
const REST: Duration = Duration::from_micros(200);

/// It holds packets until it is dropped.
#[derive(Debug)]
pub struct Lossy {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<(u64, u64)>>,
}

impl Lossy {
    /// Each packet from or to one of these ports takes so long, and so many in a thousand are lost.
    ///
    /// # Panics
    /// There is no iptables, or no right to use it: begin with [`crate::inside::network_namespace`].
    #[must_use]
    pub fn line(ports: &[u16], delay: Duration, lost_in_a_thousand: u64) -> Self {
        let mut queue = Queue::open().expect("a packet queue");
        queue.bind(0).expect("a packet queue");
        queue.set_queue_max_len(0, 65_535).expect("a long queue");
        queue.set_nonblocking(true);
        for (port, end) in ports.iter().flat_map(|port| [(port, "--dport"), (port, "--sport")]) {
            let rule = ["-A", "INPUT", "-p", "tcp", end, &port.to_string(), "-j", "NFQUEUE", "--queue-num", "0"];
            let done = Command::new("iptables").args(rule).status();
            assert!(done.is_ok_and(|status| status.success()), "iptables {rule:?}");
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || hold(queue, delay, lost_in_a_thousand, &stopped));
        Self { stop, thread: Some(thread) }
    }

    /// Ends it, and its rules; packets that passed and were lost.
    ///
    /// # Panics
    /// The holder failed.
    pub fn end(mut self) -> (u64, u64) {
        self.lift();
        self.thread.take().expect("a thread").join().expect("packets are held")
    }

    fn lift(&self) {
        // Whoever is left without the rules loses no packet.
        let _ = Command::new("iptables").args(["-F", "INPUT"]).status();
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Lossy {
    fn drop(&mut self) {
        self.lift();
    }
}

fn hold(mut queue: Queue, delay: Duration, lost_in_a_thousand: u64, stop: &AtomicBool) -> (u64, u64) {
    let mut held: VecDeque<(Instant, Message)> = VecDeque::new();
    // The same losses in each run (a linear congruential generator with Knuth's constants).
    let mut luck = 7_u64;
    let (mut passed, mut lost) = (0, 0);
    while !stop.load(Ordering::Relaxed) || !held.is_empty() {
        match queue.recv() {
            Ok(mut packet) => {
                luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if (luck >> 33) % 1000 < lost_in_a_thousand {
                    lost += 1;
                    packet.set_verdict(Verdict::Drop);
                    queue.verdict(packet).expect("a verdict");
                } else {
                    held.push_back((Instant::now() + delay, packet));
                }
                continue;
            }
            Err(error) => assert!(error.kind() == ErrorKind::WouldBlock, "{error}"),
        }
        while held.front().is_some_and(|(due, _)| *due <= Instant::now()) {
            let Some((_, mut packet)) = held.pop_front() else { break };
            passed += 1;
            packet.set_verdict(Verdict::Accept);
            queue.verdict(packet).expect("a verdict");
        }
        std::thread::sleep(REST);
    }
    (passed, lost)
}
