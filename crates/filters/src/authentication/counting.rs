//! What counts as a guess where one way of several is enough.
//!
//! A way before the one that knows the caller has seen something too. Whether that was a guess is decided so:
//!
//! - What cannot be what the way accepts, whatever is tried (no token in form, of an unknown issuer, of a key that
//!   nobody has), is no guess at it. It counts once, and only where no way accepts the caller.
//! - What is genuine and refused (signed well or called active, and meant for somebody else, too early or without a claim)
//!   counts nothing: one who has only that would close the address that he shares with others.
//! - What is of its own kind (a token of a known issuer with a wrong signature, a wrong password, an unknown key) counts
//!   at once, whoever accepts the caller then: else whoever has one good credential could guess at all the others.
//! - That is taken back where a later way has itself verified the very same: it saw nothing that the first had not
//!   seen, nor the first anything else. A service that is asked has not: it may let pass whom it does not look at. Nor
//!   has a login: it knows the caller by its session, which no other way sees.
//! - The same counts once, however many ways refuse it; another credential in the same request counts again.
//! - What a login has sealed or bound to a browser cannot be guessed at, and any page that somebody visits can send it
//!   made up in their name. It counts nothing. A code counts that the provider was asked about and refused.

use super::method::Method;
use super::unverified::Looks;
use std::cell::{Cell, OnceCell};
use torana_filter::Tally;
use torana_http::RequestHead;

use super::failures::UnderWay;
use super::locations::{alike_cookies, alike_in};

/// What a way notes while it judges one request.
#[derive(Debug, Default)]
pub(crate) struct Judging {
    /// What is awaited; given up when its verdict was counted.
    pub(super) under_way: OnceCell<UnderWay>,
    /// Whether something was wrong, for which the refusal has another reason.
    pub(super) wrong: Cell<bool>,
    /// Whether what is shown cannot be what the way accepts.
    pub(super) no_guess: Cell<bool>,
    /// Whether nobody guesses by what is shown: it is sealed, or genuine.
    pub(super) counts_nothing: Cell<bool>,
}

/// The ways that have counted, among these.
pub(super) fn counted<'w>(
    tally: Tally,
    ways: impl Iterator<Item = &'w Method>,
) -> impl Iterator<Item = &'w Method> {
    ways.filter(move |way| tally.counted & way.mark() != 0)
}

/// How often earlier ways have counted what a later one is shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    /// All of it, so that its refusal is no other guess.
    pub(super) same: usize,
    /// All of it and nothing else, so that what it has verified was none.
    pub(super) alone: usize,
}

impl Before {
    /// Looks at the ways that have counted.
    pub(super) fn of<'w>(
        request: &RequestHead,
        refused: impl Iterator<Item = &'w Method>,
        later: &Method,
    ) -> Self {
        let mut before = Self::default();
        for refused in refused.filter(|refused| saw_all(request, refused, later)) {
            before.same = before.same.saturating_add(1);
            // A service that is asked has verified nothing itself.
            let verifies = !matches!(later, Method::ForwardAuth(_));
            if verifies && covers(request, &later.looks(), &refused.looks()) {
                before.alone = before.alone.saturating_add(1);
            }
        }
        before
    }
}

/// Whether all that the later way is shown was seen by the one that has refused.
fn saw_all(request: &RequestHead, refused: &Method, later: &Method) -> bool {
    let (seen, shown) = (refused.looks(), later.looks());
    match (refused, later) {
        // What a login says of itself is where services expect its token: it has looked at its session alone.
        (Method::OidcLogin(_), _) | (_, Method::OidcLogin(_)) => false,
        (_, Method::ForwardAuth(asks)) => asks.is_shown_only(request, |name, value| seen.reads(name, value)),
        _ => covers(request, &seen, &shown),
    }
}

/// Whether there is something that the later one reads, and nothing that the other does not.
fn covers(request: &RequestHead, seen: &Looks<'_>, shown: &Looks<'_>) -> bool {
    let mut any = false;
    let mut note = |is_seen: bool| {
        any = true;
        is_seen
    };
    for name in shown.fields() {
        let mut values = request.fields.get_all(name).filter(|value| shown.reads(name, value));
        if !values.all(|value| note(seen.reads(name, value))) {
            return false;
        }
    }
    let mut there = shown.cookies.iter().filter(|name| alike_cookies(&request.fields, name).next().is_some());
    if !there.all(|name| note(seen.cookies.contains(name))) {
        return false;
    }
    let query = request.query().unwrap_or_default();
    let mut there = shown.all_parameters().filter(|name| alike_in(query, name).next().is_some());
    there.all(|name| note(seen.all_parameters().any(|own| own == name))) && any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_way_has_seen_the_same_only_where_it_was_shown_nothing_else() {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (authorization, key, token) = (own(&["Authorization"]), own(&["apikey"]), own(&["token"]));
        let bearer = Looks { headers: &authorization, scheme: Some("Bearer"), ..Looks::default() };
        let more = Looks { cookies: &token, query: &token, ..bearer };
        let keys = Looks { headers: &key, ..Looks::default() };
        let all = Looks { headers: &authorization, ..Looks::default() };
        for (fields, query, seen, shown, same) in [
            (&[("Authorization", "Bearer x")][..], "", &bearer, &more, true),
            (&[("Authorization", "Bearer x"), ("Cookie", "token=y")], "", &bearer, &more, false),
            (&[("Authorization", "Bearer x")], "token=y", &bearer, &more, false),
            (&[("Authorization", "Bearer x")], "a=y", &bearer, &more, true),
            (&[("Authorization", "Bearer x"), ("apikey", "k")], "", &bearer, &keys, false),
            (&[("Authorization", "Basic x")], "", &all, &bearer, false),
            (&[("Authorization", "Basic x")], "", &bearer, &all, false),
            (&[("Authorization", "Bearer x")], "", &all, &bearer, true),
            (&[], "", &bearer, &bearer, false),
        ] {
            let mut request = RequestHead::default();
            for (name, value) in fields {
                request.fields.append(*name, value.as_bytes()).unwrap();
            }
            assert!(query.is_empty() || request.set_query(Some(query.as_bytes())));
            assert_eq!(covers(&request, seen, shown), same, "{fields:?} {query}");
        }
    }
}
