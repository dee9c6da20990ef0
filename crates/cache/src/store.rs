//! Answers by URL, bounded by bytes, of which the least recently used goes first.

use crate::{Fields, Standing, Terms, Variant};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The most answers to one URL, by what they depend on.
pub(crate) const MOST_VARIANTS: usize = 8;
/// A copy that is younger is not taken again.
const YOUNG: Duration = Duration::from_secs(1);
/// What an answer takes beside what is counted: its place here, and what allocators add to each piece.
const OVERHEAD: usize = 512;
/// No place.
const NOWHERE: u32 = u32::MAX;

/// An answer, and to what.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    pub(crate) variant: Variant,
    pub(crate) terms: Terms,
    /// When it was kept.
    pub(crate) kept: Duration,
    pub(crate) value: Arc<T>,
}

#[derive(Debug)]
struct Node<T> {
    url: Arc<[u8]>,
    entry: Entry<T>,
    weight: usize,
    newer: u32,
    older: u32,
}

/// What nobody finds any more.
#[must_use = "it is meant to be freed later"]
pub(crate) struct Gone<T>(#[allow(dead_code, reason = "it is held")] Vec<Node<T>>);

/// The store itself, for one thread at a time.
#[derive(Debug)]
pub(crate) struct Store<T> {
    nodes: Vec<Option<Node<T>>>,
    free: Vec<u32>,
    urls: HashMap<Arc<[u8]>, Vec<u32>>,
    newest: u32,
    oldest: u32,
    bytes: usize,
    bound: usize,
    /// What was removed and is still to be freed.
    gone: Vec<Node<T>>,
}

impl<T> Store<T> {
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            nodes: Vec::new(),
            free: Vec::new(),
            urls: HashMap::new(),
            newest: NOWHERE,
            oldest: NOWHERE,
            bytes: 0,
            bound,
            gone: Vec::new(),
        }
    }

    /// What was removed, to be freed when others may look again: it may be much.
    pub(crate) fn take_gone(&mut self) -> Gone<T> {
        Gone(std::mem::take(&mut self.gone))
    }

    /// What all of it takes, in bytes; never more than the bound.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many answers there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len().saturating_sub(self.free.len())
    }

    /// The answer to a request, and how it stands.
    pub(crate) fn find(
        &mut self,
        url: &[u8],
        request: &(impl Fields + ?Sized),
        shows_somebody: bool,
        now: Duration,
    ) -> Option<(Arc<T>, Standing)> {
        let mut best: Option<(u32, Duration)> = None;
        let mut gone = None;
        for place in self.places(url) {
            let Some(entry) = self.entry(*place) else { continue };
            if entry.terms.standing(now).is_none() {
                gone = Some(*place);
            } else if entry.terms.audience.admits(shows_somebody)
                && entry.variant.matches(request)
                && best.is_none_or(|(_, since)| since <= entry.terms.since)
            {
                best = Some((*place, entry.terms.since));
            }
        }
        if let Some(gone) = gone {
            self.remove(gone);
        }
        let (place, _) = best?;
        self.touch(place);
        let entry = self.entry(place)?;
        Some((Arc::clone(&entry.value), entry.terms.standing(now)?))
    }

    /// Whether a new answer on these terms is to be kept: not while there is a copy that has just been made and is
    /// for the same callers.
    pub(crate) fn wants(
        &mut self,
        url: &[u8],
        request: &(impl Fields + ?Sized),
        terms: &Terms,
        now: Duration,
    ) -> bool {
        let mut places = self.places(url).iter();
        let young = places.find(|place| {
            self.entry(**place).is_some_and(|entry| {
                entry.terms.audience == terms.audience
                    && entry.kept.saturating_add(YOUNG) > now
                    && entry.variant.matches(request)
            })
        });
        let young = young.copied();
        if let Some(place) = young {
            self.touch(place);
        }
        young.is_none()
    }

    /// Forgets what the request would be given; tells whether there was something.
    pub(crate) fn forget_answer(
        &mut self,
        url: &[u8],
        request: &(impl Fields + ?Sized),
        shows_somebody: bool,
    ) -> bool {
        self.remove_where(url, |entry| {
            entry.terms.audience.admits(shows_somebody) && entry.variant.matches(request)
        })
    }

    /// Forgets every answer to the URL.
    pub(crate) fn forget(&mut self, url: &[u8]) {
        self.remove_where(url, |_| true);
    }

    /// Keeps an answer in place of those that the request would have matched; `weight`: what its value takes. One
    /// that was asked for later stays.
    pub(crate) fn insert(
        &mut self,
        url: &[u8],
        request: &(impl Fields + ?Sized),
        entry: Entry<T>,
        weight: usize,
    ) {
        let weight =
            [url.len(), entry.variant.weight(), OVERHEAD].into_iter().fold(weight, usize::saturating_add);
        let since = entry.terms.since;
        let later = |place: &u32| {
            self.entry(*place)
                .is_some_and(|known| known.terms.since > since && known.variant.matches(request))
        };
        if weight > self.bound || self.places(url).iter().any(later) {
            return;
        }
        self.remove_where(url, |known| known.variant.matches(request));
        if self.places(url).len() >= MOST_VARIANTS
            && let Some(oldest) = self.places(url).first().copied()
        {
            self.remove(oldest);
        }
        while self.bytes.saturating_add(weight) > self.bound && self.oldest != NOWHERE {
            self.remove(self.oldest);
        }
        self.add(url, entry, weight);
    }

    fn add(&mut self, url: &[u8], entry: Entry<T>, weight: usize) {
        let url: Arc<[u8]> = match self.urls.get_key_value(url) {
            Some((known, _)) => Arc::clone(known),
            None => url.into(),
        };
        let node = Node { url: Arc::clone(&url), entry, weight, newer: NOWHERE, older: NOWHERE };
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.nodes.push(None);
                u32::try_from(self.nodes.len().saturating_sub(1)).unwrap_or(NOWHERE)
            }
        };
        let Some(empty) = self.nodes.get_mut(place as usize) else { return };
        *empty = Some(node);
        self.bytes = self.bytes.saturating_add(weight);
        self.urls.entry(url).or_default().push(place);
        self.link(place);
    }

    /// Where answers to the URL are, those that were kept first before others.
    fn places(&self, url: &[u8]) -> &[u32] {
        self.urls.get(url).map_or(&[], Vec::as_slice)
    }

    fn entry(&self, place: u32) -> Option<&Entry<T>> {
        self.nodes.get(place as usize)?.as_ref().map(|node| &node.entry)
    }

    fn node(&mut self, place: u32) -> Option<&mut Node<T>> {
        self.nodes.get_mut(place as usize)?.as_mut()
    }

    /// Removes those answers to the URL; tells whether there were any.
    fn remove_where(&mut self, url: &[u8], goes: impl Fn(&Entry<T>) -> bool) -> bool {
        let mut any = false;
        loop {
            let mut places = self.places(url).iter();
            let Some(place) = places.find(|place| self.entry(**place).is_some_and(&goes)).copied() else {
                return any;
            };
            self.remove(place);
            any = true;
        }
    }

    fn remove(&mut self, place: u32) {
        self.unlink(place);
        let Some(node) = self.nodes.get_mut(place as usize).and_then(Option::take) else { return };
        self.bytes = self.bytes.saturating_sub(node.weight);
        self.free.push(place);
        if let Some(places) = self.urls.get_mut(&node.url) {
            places.retain(|other| *other != place);
            if places.is_empty() {
                self.urls.remove(&node.url);
            }
        }
        self.gone.push(node);
    }

    /// Was used just now.
    fn touch(&mut self, place: u32) {
        if self.newest != place {
            self.unlink(place);
            self.link(place);
        }
    }

    /// Puts it before all others.
    fn link(&mut self, place: u32) {
        let before = std::mem::replace(&mut self.newest, place);
        match self.node(before) {
            Some(before) => before.newer = place,
            None => self.oldest = place,
        }
        if let Some(node) = self.node(place) {
            (node.newer, node.older) = (NOWHERE, before);
        }
    }

    /// Takes it out of the order.
    fn unlink(&mut self, place: u32) {
        let Some(node) = self.node(place) else { return };
        let (newer, older) = (node.newer, node.older);
        match self.node(newer) {
            Some(newer) => newer.older = older,
            None => self.newest = older,
        }
        match self.node(older) {
            Some(older) => older.newer = newer,
            None => self.oldest = newer,
        }
    }
}

#[cfg(test)]
mod tests;
