//! The endpoints that one request has already tried.

/// The most endpoints that [`Tried`] remembers; more attempts than this for one request are not sensible.
const CAPACITY: usize = 8;

/// A small set of endpoint indices, kept in the request itself: no allocation, no bound on the list's size.
///
/// Indices belong to one [`Balancer`](crate::Balancer): a request keeps the snapshot with which it began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    indices: [usize; CAPACITY],
    length: usize,
}

impl Tried {
    /// Remembers an index. After eight distinct ones the oldest is forgotten.
    pub fn insert(&mut self, index: usize) {
        if self.contains(index) {
            return;
        }
        if self.length == CAPACITY {
            self.indices.rotate_left(1);
            self.length = CAPACITY.saturating_sub(1);
        }
        if let Some(place) = self.indices.get_mut(self.length) {
            *place = index;
            self.length = self.length.saturating_add(1);
        }
    }

    /// Whether this request has tried the endpoint.
    #[must_use]
    pub fn contains(&self, index: usize) -> bool {
        self.indices.iter().take(self.length).any(|tried| *tried == index)
    }

    /// Whether this is the first attempt.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How many endpoints are remembered.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_each_index_once_and_forgets_the_oldest() {
        let mut tried = Tried::default();
        assert!(tried.is_empty());
        assert!(!tried.contains(0), "the zeroes of an empty set are not members");
        tried.insert(70_000);
        tried.insert(70_000);
        assert_eq!(tried.len(), 1);
        for index in 0..CAPACITY {
            tried.insert(index);
        }
        assert_eq!(tried.len(), CAPACITY);
        assert!(!tried.contains(70_000));
        assert!((0..CAPACITY).all(|index| tried.contains(index)));
    }
}
