//! The Service of the exchange, and the network before it: connections go to any of the operators, and some of them
//! break.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::profile::Counters;
use crate::random::Random;

/// How often a quiet connection asks whether it is to break.
const TICK: Duration = Duration::from_millis(200);

/// Where workers find the operators, until it is dropped.
pub struct Wire {
    /// The one address that workers know.
    pub address: SocketAddr,
    /// Where the operators listen, each at its own.
    pub operators: Vec<SocketAddr>,
    flags: Arc<Flags>,
}

#[derive(Default)]
struct Flags {
    calm: AtomicBool,
    stop: AtomicBool,
}

/// What becomes of a connection.
#[derive(Clone, Copy)]
enum Fate {
    Good,
    Refused,
    /// Broken off then.
    Cut(Instant),
    /// From then on nothing comes through, and nobody says so.
    Stalled(Instant),
}

impl Wire {
    /// For as many operators; `faults` in a hundred connections break.
    pub fn start(operators: usize, faults: u64, mut random: Random, counters: Arc<Counters>) -> Self {
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        // Free, and nobody else on this machine asks for just these.
        let free: Vec<TcpListener> = (0..operators).map(|_| bind()).collect();
        let operators: Vec<SocketAddr> = free.iter().map(|listener| listener.local_addr().unwrap()).collect();
        drop(free);
        let listener = bind();
        let (address, flags) = (listener.local_addr().unwrap(), Arc::new(Flags::default()));
        let (shared, targets) = (Arc::clone(&flags), operators.clone());
        std::thread::spawn(move || {
            for worker in listener.incoming().map_while(Result::ok) {
                if shared.stop.load(Ordering::Acquire) {
                    return;
                }
                let target = targets[random.below(targets.len())];
                let breaks = !shared.calm.load(Ordering::Acquire) && random.chance(faults);
                let at = Instant::now() + Duration::from_millis(random.below(20_000) as u64);
                let fate = match random.below(3) {
                    _ if !breaks => Fate::Good,
                    0 => Fate::Refused,
                    1 => Fate::Cut(at),
                    _ => Fate::Stalled(at),
                };
                if breaks {
                    counters.add("worker's connection broken");
                }
                std::thread::spawn(move || carry(worker, target, fate));
            }
        });
        Self { address, operators, flags }
    }

    /// No new connection breaks from now on.
    pub fn be_calm(&self) {
        self.flags.calm.store(true, Ordering::Release);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.flags.stop.store(true, Ordering::Release);
        // It is heard at the next connection.
        let _ = TcpStream::connect(self.address);
    }
}

/// Carries what both sides say until one of them ends.
fn carry(worker: TcpStream, target: SocketAddr, fate: Fate) {
    if matches!(fate, Fate::Refused) {
        return;
    }
    let Ok(operator) = TcpStream::connect(target) else { return };
    let (Ok(worker_again), Ok(operator_again)) = (worker.try_clone(), operator.try_clone()) else { return };
    let back = std::thread::spawn(move || pump(operator_again, worker_again, fate));
    pump(worker, operator, fate);
    let _ = back.join();
}

fn pump(mut from: TcpStream, mut to: TcpStream, fate: Fate) {
    let mut buffer = [0; 16_384];
    let _ = (from.set_read_timeout(Some(TICK)), from.set_nodelay(true));
    let due = |at: Instant| Instant::now() >= at;
    while !matches!(fate, Fate::Cut(at) if due(at)) {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) if matches!(fate, Fate::Stalled(at) if due(at)) => {}
            Ok(read) => {
                if to.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
