//! Numbers that live elsewhere, read when the page is rendered.

use crate::names::Family;

/// Knows numbers that others keep, such as pools and limiters.
pub trait Source: Send + Sync {
    /// Adds what it knows.
    fn collect(&self, samples: &mut Samples);
}

/// One number with its labels.
pub(crate) struct Sample {
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: f64,
}

/// Numbers by metric.
#[derive(Default)]
pub struct Samples {
    pub(crate) families: Vec<(Family, Vec<Sample>)>,
}

impl std::fmt::Debug for Samples {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.families.iter().map(|(family, _)| family.name)).finish()
    }
}

impl Samples {
    /// Adds a number to a metric of [`crate::names`] that is a counter or a gauge.
    pub fn add(&mut self, family: Family, labels: &[(&'static str, &str)], value: f64) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let sample = Sample { labels, value };
        match self.families.iter_mut().find(|(known, _)| *known == family) {
            Some((_, samples)) => samples.push(sample),
            None => self.families.push((family, vec![sample])),
        }
    }
}
