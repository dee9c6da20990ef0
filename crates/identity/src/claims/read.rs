//! Reading an object in one pass, strictly, into places of its text.

use super::{Kind, Node, Span};
use serde_json::Number;

/// Objects and lists that may stand in one another.
const DEEPEST: u8 = 127;
/// Members of an object that are compared with each other as they come; more are sorted.
const FEW: usize = 24;
/// Digits that a whole number may have and surely fit 64 bits.
const SHORT: usize = 18;

/// The members and items of an object, in a list that is empty yet, and what its escapes say, which is to stand behind
/// the text.
pub(super) fn read(text: &str, nodes: Vec<Node>) -> Option<(Vec<Node>, String)> {
    // Places are kept in 32 bits; what escapes say is no longer than they.
    u32::try_from(text.len().checked_mul(2)?).ok()?;
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, nodes, unescaped: String::new() };
    reader.open(b'{')?;
    reader.members(1)?;
    reader.blank();
    (reader.at == text.len()).then_some((reader.nodes, reader.unescaped))
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    nodes: Vec<Node>,
    unescaped: String,
}

/// What the texts are told apart by at first: the length and the first bytes. Equal texts have equal prints.
type Print = u64;

impl Reader<'_> {
    /// Passes white space.
    fn blank(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.step();
        }
    }

    /// The next byte that is not white space, which is not passed yet.
    fn mark(&mut self) -> Option<u8> {
        match self.bytes.get(self.at) {
            Some(byte) if *byte > b' ' => Some(*byte),
            _ => {
                self.blank();
                self.bytes.get(self.at).copied()
            }
        }
    }

    const fn step(&mut self) {
        self.at = self.at.wrapping_add(1);
    }

    fn open(&mut self, mark: u8) -> Option<()> {
        (self.mark()? == mark).then(|| self.step())
    }

    /// Whether another one comes, after a comma; nothing where neither that nor the end does.
    fn another(&mut self, end: u8) -> Option<bool> {
        let mark = self.mark()?;
        self.step();
        match mark {
            b',' => Some(true),
            mark if mark == end => Some(false),
            _ => None,
        }
    }

    /// The members of an object behind its brace.
    fn members(&mut self, depth: u8) -> Option<()> {
        if self.mark()? == b'}' {
            self.step();
            return Some(());
        }
        let first = self.nodes.len();
        let (mut prints, mut count): ([Print; FEW], usize) = ([0; FEW], 0);
        loop {
            let (name, print) = self.string()?;
            self.open(b':')?;
            let seen = prints.get(..count).unwrap_or_default();
            if seen.contains(&print) && self.has(first, name) {
                return None;
            }
            if let Some(place) = prints.get_mut(count) {
                *place = print;
            }
            count = count.saturating_add(1);
            self.value(name, depth)?;
            if !self.another(b'}')? {
                break;
            }
        }
        (count <= FEW || self.is_distinct(first)).then_some(())
    }

    /// The items of a list behind its bracket.
    fn items(&mut self, depth: u8) -> Option<()> {
        if self.mark()? == b']' {
            self.step();
            return Some(());
        }
        loop {
            self.value(Span::default(), depth)?;
            if !self.another(b']')? {
                return Some(());
            }
        }
    }

    fn value(&mut self, name: Span, depth: u8) -> Option<()> {
        let (kind, value) = match self.mark()? {
            b'"' => (Kind::Text, self.string()?.0),
            b'{' => return self.nested(name, depth, Kind::Object),
            b'[' => return self.nested(name, depth, Kind::List),
            b't' => (Kind::True, self.literal(b"true")?),
            b'f' => (Kind::False, self.literal(b"false")?),
            b'n' => (Kind::Null, self.literal(b"null")?),
            _ => (Kind::Number, self.number()?),
        };
        let end = u32::try_from(self.nodes.len().saturating_add(1)).ok()?;
        self.nodes.push(Node { name, value, end, kind });
        Some(())
    }

    fn nested(&mut self, name: Span, depth: u8, kind: Kind) -> Option<()> {
        if depth >= DEEPEST {
            return None;
        }
        self.step();
        let place = self.nodes.len();
        self.nodes.push(Node { name, value: Span::default(), end: 0, kind });
        let depth = depth.saturating_add(1);
        if kind == Kind::Object {
            self.members(depth)?;
        } else {
            self.items(depth)?;
        }
        let end = u32::try_from(self.nodes.len()).ok()?;
        self.nodes.get_mut(place)?.end = end;
        Some(())
    }

    fn literal(&mut self, word: &[u8]) -> Option<Span> {
        self.bytes.get(self.at..)?.starts_with(word).then_some(())?;
        self.at = self.at.saturating_add(word.len());
        Some(Span::default())
    }

    /// Digits, at least one; how many.
    fn digits(&mut self) -> Option<usize> {
        let rest = self.bytes.get(self.at..)?;
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at = self.at.saturating_add(count);
        (count > 0).then_some(count)
    }

    fn number(&mut self) -> Option<Span> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.step();
        }
        let leads_with_zero = self.bytes.get(self.at) == Some(&b'0');
        let count = self.digits()?;
        if leads_with_zero && count > 1 {
            return None;
        }
        let mut plain = count <= SHORT;
        if self.bytes.get(self.at) == Some(&b'.') {
            self.step();
            self.digits()?;
            plain = false;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.step();
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.step();
            }
            self.digits()?;
            plain = false;
        }
        // What is too large for any number is none.
        if !plain {
            serde_json::from_str::<Number>(self.text.get(start..self.at)?).ok()?;
        }
        self.span(start, self.at)
    }

    /// A text between quotation marks, and its print.
    fn string(&mut self) -> Option<(Span, Print)> {
        self.open(b'"')?;
        let start = self.at;
        // Names are short mostly: eight bytes tell where they end.
        if let Some(chunk) = self.bytes.get(start..).and_then(<[u8]>::first_chunk) {
            let word = u64::from_le_bytes(*chunk);
            let bits = stops(word).trailing_zeros() & !7;
            if let Some(b'"') = chunk.get((bits / 8) as usize) {
                let len = bits / 8;
                self.at = start.wrapping_add(len as usize).wrapping_add(1);
                let text = word & !u64::MAX.wrapping_shl(bits);
                let span = Span { start: u32::try_from(start).ok()?, len };
                return Some((span, text ^ u64::from(len).rotate_left(56)));
            }
        }
        let mut escaped = false;
        loop {
            let rest = self.bytes.get(self.at..)?;
            self.at = self.at.saturating_add(plain_bytes(rest));
            match self.bytes.get(self.at)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    // Whatever is escaped; the mark that ends the text never is what follows.
                    self.at = self.at.saturating_add(2);
                }
                _ => return None,
            }
        }
        let end = self.at;
        self.step();
        if !escaped {
            return Some((self.span(start, end)?, print(self.bytes.get(start..end)?)));
        }
        let quoted = self.text.get(start.checked_sub(1)?..self.at)?;
        let said: String = serde_json::from_str(quoted).ok()?;
        let place = self.text.len().saturating_add(self.unescaped.len());
        self.unescaped.push_str(&said);
        Some((self.span(place, place.saturating_add(said.len()))?, print(said.as_bytes())))
    }

    fn span(&self, start: usize, end: usize) -> Option<Span> {
        Some(Span { start: u32::try_from(start).ok()?, len: u32::try_from(end.checked_sub(start)?).ok()? })
    }

    fn text_of(&self, span: Span) -> &str {
        let start = span.start as usize;
        let (text, start) = match start.checked_sub(self.text.len()) {
            Some(behind) => (self.unescaped.as_str(), behind),
            None => (self.text, start),
        };
        text.get(start..start.saturating_add(span.len as usize)).unwrap_or_default()
    }

    /// The names of an object's members from this place on.
    fn names(&self, first: usize) -> impl Iterator<Item = &str> {
        let mut next = first;
        std::iter::from_fn(move || {
            let node = self.nodes.get(next)?;
            next = node.end as usize;
            Some(self.text_of(node.name))
        })
    }

    fn has(&self, first: usize, name: Span) -> bool {
        let name = self.text_of(name);
        self.names(first).any(|own| own == name)
    }

    fn is_distinct(&self, first: usize) -> bool {
        let mut names: Vec<&str> = self.names(first).collect();
        names.sort_unstable();
        names.windows(2).all(|pair| matches!(pair, [one, other] if one != other))
    }
}

fn print(text: &[u8]) -> Print {
    let start = match text.first_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => text.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    start ^ (text.len() as u64).rotate_left(56)
}

/// Marks the first of eight bytes that ends a text, begins an escape or may not stand in one; above it, others may be
/// marked that do not.
const fn stops(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    /// Marks zero bytes, and perhaps others above the first.
    const fn zeros(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word & HIGH
    }
    let quote = zeros(word ^ ONES.wrapping_mul(b'"' as u64));
    let escape = zeros(word ^ ONES.wrapping_mul(b'\\' as u64));
    let control = word.wrapping_sub(ONES.wrapping_mul(0x20)) & !word & HIGH;
    quote | escape | control
}

/// How many bytes come before the first that ends a text, begins an escape or may not stand in one; eight at once.
fn plain_bytes(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut passed = 0_usize;
    for chunk in chunks {
        let found = stops(u64::from_le_bytes(*chunk));
        if found != 0 {
            return passed.saturating_add((found.trailing_zeros() / 8) as usize);
        }
        passed = passed.saturating_add(8);
    }
    let is_stop = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    passed.saturating_add(rest.iter().position(is_stop).unwrap_or(rest.len()))
}
