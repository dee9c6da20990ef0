//! Structured fields (RFC 9651), read more strictly than they must be: a name that stands twice is an error,
//! where the RFC lets the last one win. Two readers could otherwise take different ones.

use crate::request::{Refusal, SignedRequest};
use sfv::visitor::{DictionaryVisitor, EntryVisitor, Ignored};
use sfv::{Dictionary, InnerList, Item, ItemSerializer, KeyRef, ListEntry, ListSerializer, Parser};

/// The longest field that is read, in bytes.
const LONGEST: usize = 8192;

/// Every value of a field in one line, as RFC 9421 section 2.1 combines them; `None` where there is none.
pub(super) fn combined(request: &SignedRequest<'_>, name: &str) -> Option<Vec<u8>> {
    let values: Vec<&[u8]> = request.values(name).collect();
    if values.is_empty() { None } else { Some(values.join(&b", "[..])) }
}

/// A dictionary without a repeated member.
pub(super) fn dictionary(text: &[u8]) -> Result<Dictionary, Refusal> {
    let malformed = |_| Refusal::Invalid("a structured field is malformed");
    if text.len() > LONGEST {
        return Err(Refusal::Invalid("a structured field is too long"));
    }
    let count = Parser::new(text).parse_dictionary_with_visitor(Count(0)).map_err(malformed)?;
    let members: Dictionary = Parser::new(text).parse_dictionary().map_err(malformed)?;
    if members.len() != count {
        return Err(Refusal::Invalid("a structured field has a member twice"));
    }
    Ok(members)
}

/// Counts members, those that stand twice too.
struct Count(usize);

impl<'de> DictionaryVisitor<'de> for Count {
    type Out = usize;
    type Error = std::convert::Infallible;

    fn entry(&mut self, _: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Self::Error> {
        self.0 = self.0.saturating_add(1);
        Ok(Ignored)
    }

    fn finish(self) -> Result<Self::Out, Self::Error> {
        Ok(self.0)
    }
}

/// An item as RFC 9651 section 4.1 writes it.
pub(super) fn item_text(item: &Item) -> String {
    ItemSerializer::new().bare_item(&item.bare_item).parameters(&item.params).finish()
}

/// An inner list as RFC 9651 section 4.1 writes it.
pub(super) fn inner_list_text(list: &InnerList) -> String {
    let mut text = ListSerializer::new();
    let mut inner = text.inner_list();
    inner.items(&list.items);
    let _ = inner.finish().parameters(&list.params);
    text.finish().unwrap_or_default()
}

/// A member of a dictionary, without its name.
pub(super) fn member_text(member: &ListEntry) -> String {
    match member {
        ListEntry::Item(item) => item_text(item),
        ListEntry::InnerList(list) => inner_list_text(list),
    }
}
