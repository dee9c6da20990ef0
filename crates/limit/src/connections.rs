//! How many connections are open, in all and from one client address.
//!
//! A place is taken when a connection is accepted and given back when its [`Seat`] is dropped. Addresses without
//! a connection are not remembered, so the table is as large as the number of connections, which is bounded.
//! Where there is no bound for each address, none is remembered at all.

use hashbrown::HashTable;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A power of two.
const SHARDS: usize = 16;

/// Bounds of open connections; they may change while connections are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionCaps {
    /// In all.
    pub all: Option<usize>,
    /// From one address.
    pub address: Option<u32>,
    /// How many leading bits of an IPv6 address make a client.
    pub ipv6_prefix: u8,
}

/// Which bound refuses a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowded {
    /// The one in all.
    All,
    /// The one of its address.
    Address,
}

/// Open connections.
#[derive(Debug)]
pub struct Connections {
    open: AtomicUsize,
    refused_all: AtomicU64,
    refused_address: AtomicU64,
    hasher: RandomState,
    shards: Box<[Mutex<HashTable<Entry>>]>,
}

#[derive(Debug)]
struct Entry {
    address: [u8; 16],
    open: u32,
}

/// The place of a connection; given back when dropped.
#[derive(Debug, Default)]
pub struct Seat {
    of: Option<Arc<Connections>>,
    /// Nothing while no address is counted.
    address: Option<[u8; 16]>,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            open: AtomicUsize::new(0),
            refused_all: AtomicU64::new(0),
            refused_address: AtomicU64::new(0),
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Connections {
    /// A place among all.
    ///
    /// # Errors
    /// There is none.
    pub fn enter(self: &Arc<Self>, caps: &ConnectionCaps) -> Result<Seat, Crowded> {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        if caps.all.is_some_and(|most| before >= most) {
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.refused_all.fetch_add(1, Ordering::Relaxed);
            return Err(Crowded::All);
        }
        Ok(Seat { of: Some(Arc::clone(self)), address: None })
    }

    /// Connections at this moment.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How many have been refused by a bound.
    #[must_use]
    pub fn refused(&self, by: Crowded) -> u64 {
        match by {
            Crowded::All => self.refused_all.load(Ordering::Relaxed),
            Crowded::Address => self.refused_address.load(Ordering::Relaxed),
        }
    }

    /// Addresses that are counted at this moment.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    fn enter_address(&self, address: [u8; 16], most: u32) -> bool {
        let hash = self.hasher.hash_one(address);
        let mut table = self.shard(hash).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = table.find_mut(hash, |entry| entry.address == address) {
            if entry.open >= most {
                self.refused_address.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            entry.open = entry.open.saturating_add(1);
        } else {
            table
                .insert_unique(hash, Entry { address, open: 1 }, |entry| self.hasher.hash_one(entry.address));
        }
        true
    }

    fn leave_address(&self, address: [u8; 16]) {
        let hash = self.hasher.hash_one(address);
        let mut table = self.shard(hash).lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(mut entry) = table.find_entry(hash, |entry| entry.address == address) {
            let left = entry.get().open.saturating_sub(1);
            if left == 0 {
                entry.remove();
            } else {
                entry.get_mut().open = left;
            }
        }
    }

    fn shard(&self, hash: u64) -> &Mutex<HashTable<Entry>> {
        let place = usize::try_from(hash >> 32).unwrap_or(0) & SHARDS.saturating_sub(1);
        self.shards.get(place).expect("there are as many shards as the mask lets through")
    }
}

impl Seat {
    /// Counts the connection for its client's address too, once that is known. Only once.
    ///
    /// # Errors
    /// The address has as many as it may.
    pub fn sit(&mut self, client: IpAddr, caps: &ConnectionCaps) -> Result<(), Crowded> {
        let (Some(connections), Some(most)) = (&self.of, caps.address) else { return Ok(()) };
        if self.address.is_none() {
            let address = key(client, caps.ipv6_prefix);
            if !connections.enter_address(address, most) {
                return Err(Crowded::Address);
            }
            self.address = Some(address);
        }
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(connections) = &self.of else { return };
        connections.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(address) = self.address {
            connections.leave_address(address);
        }
    }
}

/// An IPv4 address in its mapped form, which no IPv6 address has once it is brought to its one form.
fn key(client: IpAddr, ipv6_prefix: u8) -> [u8; 16] {
    match client.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => {
            let rest = 128_u32.saturating_sub(u32::from(ipv6_prefix));
            let mask = u128::MAX.checked_shl(rest).unwrap_or(0);
            (u128::from_be_bytes(address.octets()) & mask).to_be_bytes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(all: usize, address: u32) -> ConnectionCaps {
        ConnectionCaps { all: Some(all), address: Some(address), ipv6_prefix: 64 }
    }

    fn sit(connections: &Arc<Connections>, caps: &ConnectionCaps, client: &str) -> Result<Seat, Crowded> {
        let mut seat = connections.enter(caps)?;
        seat.sit(client.parse().unwrap(), caps)?;
        Ok(seat)
    }

    #[test]
    fn places_are_counted_in_all_and_by_address_and_given_back() {
        let (connections, caps) = (Arc::new(Connections::default()), caps(3, 2));
        let first = sit(&connections, &caps, "10.0.0.1").unwrap();
        let second = sit(&connections, &caps, "::ffff:10.0.0.1").unwrap();
        assert_eq!(sit(&connections, &caps, "10.0.0.1").unwrap_err(), Crowded::Address);
        let other = sit(&connections, &caps, "10.0.0.2").unwrap();
        assert_eq!(sit(&connections, &caps, "10.0.0.3").unwrap_err(), Crowded::All);
        assert_eq!((connections.open(), connections.addresses()), (3, 2));
        assert_eq!((connections.refused(Crowded::All), connections.refused(Crowded::Address)), (1, 1));
        drop(first);
        assert!(sit(&connections, &caps, "10.0.0.1").is_ok());
        drop((second, other));
        assert_eq!((connections.open(), connections.addresses()), (0, 0));
    }

    #[test]
    fn an_ipv6_client_is_its_prefix_and_a_changed_prefix_loses_no_count() {
        let (connections, mut caps) = (Arc::new(Connections::default()), caps(10, 1));
        for _ in 0..10 {
            assert!(sit(&connections, &caps, "::1").is_ok(), "the first of all prefixes is given back too");
        }
        let first = sit(&connections, &caps, "2001:db8::1").unwrap();
        assert!(sit(&connections, &caps, "2001:db8::ffff").is_err());
        assert!(sit(&connections, &caps, "2001:db8:0:1::1").is_ok());
        caps.ipv6_prefix = 128;
        let exact = sit(&connections, &caps, "2001:db8::1").unwrap();
        drop((first, exact));
        assert_eq!((connections.open(), connections.addresses()), (0, 0));
    }

    #[test]
    fn without_a_bound_for_addresses_none_is_remembered() {
        let connections = Arc::new(Connections::default());
        let caps = ConnectionCaps { all: None, address: None, ipv6_prefix: 64 };
        let seats: Vec<_> = (0..100).map(|_| sit(&connections, &caps, "10.0.0.1").unwrap()).collect();
        assert_eq!((connections.open(), connections.addresses()), (100, 0));
        drop(seats);
        assert_eq!(connections.open(), 0);
    }

    #[test]
    fn threads_never_hold_more_places_than_there_are() {
        let (connections, caps) = (Arc::new(Connections::default()), caps(5, 3));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let Ok(_seat) = sit(&connections, &caps, "10.0.0.1") else { continue };
                        let most = connections.shards.iter().map(|shard| {
                            shard.lock().unwrap().iter().map(|entry| entry.open).max().unwrap_or(0)
                        });
                        assert!((1..=3).contains(&most.max().unwrap()));
                        std::thread::yield_now();
                    }
                });
            }
        });
        assert_eq!((connections.open(), connections.addresses()), (0, 0));
    }
}
