//! Small handles to the entries of a plan.
//!
//! A name is what people see; an identifier is a place in a list that was fixed when the plan was
//! made, so that a request finds its route and service without hashing a name. Identifiers of one
//! plan mean nothing in another: what survives a reload is keyed by name.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u32);

        impl $name {
            /// The identifier of the entry at `index`; `None` above `u32::MAX`.
            #[must_use]
            pub fn new(index: usize) -> Option<Self> {
                u32::try_from(index).ok().map(Self)
            }

            /// The place in the plan's list.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id! {
    /// The place of a route in a plan's list of routes.
    RouteId
}
id! {
    /// The place of a service in a plan's list of services.
    ServiceId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_place() {
        assert_eq!(RouteId::new(7).unwrap().index(), 7);
        assert!(ServiceId::new(usize::MAX).is_none());
    }
}
