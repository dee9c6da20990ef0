//! What services are told of a consumer, each text behind the other.
//!
//! A gateway with a million consumers has none of them in the caches of its processor. Each piece that is read of one
//! is waited for, so what every request needs lies in one place instead of behind three pointers.

use crate::{Consumer, Credential};

/// Texts that need no memory of their own: an UUID and three names of common length.
const SHORT: usize = 80;
/// Says of a length that there is no text.
const ABSENT: u16 = u16::MAX;

/// A consumer and a credential, as services are told of them.
#[derive(Debug, PartialEq)]
pub struct Told {
    lengths: [u16; 4],
    texts: Texts,
}

#[derive(Debug, PartialEq)]
enum Texts {
    Short([u8; SHORT]),
    Long(Box<[u8]>),
}

impl Default for Told {
    fn default() -> Self {
        Self { lengths: [ABSENT; 4], texts: Texts::Short([0; SHORT]) }
    }
}

impl Told {
    /// The identifier, custom identifier and user name of a consumer, and the name of its credential; nothing where one
    /// is longer than any field.
    pub(crate) fn new(consumer: &Consumer, credential: &Credential) -> Option<Self> {
        let told = [
            Some(&*consumer.id),
            consumer.custom_id.as_deref(),
            consumer.username.as_deref(),
            Some(&*credential.id),
        ];
        let mut lengths = [ABSENT; 4];
        for (length, text) in lengths.iter_mut().zip(told) {
            let Some(text) = text else { continue };
            *length = u16::try_from(text.len()).ok().filter(|length| *length != ABSENT)?;
        }
        let all = told.into_iter().flatten().collect::<String>().into_bytes();
        let mut short = [0; SHORT];
        let texts = match short.get_mut(..all.len()) {
            Some(room) => {
                room.copy_from_slice(&all);
                Texts::Short(short)
            }
            None => Texts::Long(all.into()),
        };
        Some(Self { lengths, texts })
    }

    /// Something from its beginning and from its end.
    pub(crate) fn ends(&self) -> (u16, u8) {
        let [first, ..] = self.lengths;
        match &self.texts {
            Texts::Short([.., last]) => (first, *last),
            Texts::Long(_) => (first, 0),
        }
    }

    /// The texts, in the order of [`new`](Self::new).
    pub(crate) fn texts(&self) -> [Option<&[u8]>; 4] {
        let mut rest: &[u8] = match &self.texts {
            Texts::Short(bytes) => bytes,
            Texts::Long(bytes) => bytes,
        };
        self.lengths.map(|length| {
            let (text, after) = rest.split_at_checked(usize::from(length)).filter(|_| length != ABSENT)?;
            rest = after;
            Some(text)
        })
    }
}
