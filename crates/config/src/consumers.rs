//! Files of consumers, read apart from the configuration so that there can be very many.

use std::sync::LazyLock;

use crate::check;
use crate::finding::{Finding, has_errors};
use crate::reference::{self, Resolver};
use crate::schema::schema_of;
use crate::shape::{self, Shape};
use crate::source::{Source, Span};
use crate::written::ConsumerConfig;
use crate::yaml;

/// More than this many mistakes of one file help nobody.
const MOST_MISTAKES: usize = 20;

const NO_CONSUMERS: &str = "write `[]` if there are none";

const ONE_A_LINE: &str = "a file that ends with `.jsonl` holds one consumer in JSON a line; a list is in YAML, in a file of another ending";

/// The shape of a whole file of consumers.
static CONSUMERS: LazyLock<Shape> = LazyLock::new(|| {
    let schema = schema_of::<Vec<ConsumerConfig>>();
    shape::compile(&schema, &schema).expect("the generated schema has only known keywords; a test holds it")
});

/// The shape of one.
static CONSUMER: LazyLock<Shape> = LazyLock::new(|| {
    let schema = schema_of::<ConsumerConfig>();
    shape::compile(&schema, &schema).expect("the generated schema has only known keywords; a test holds it")
});

/// Reads a file of consumers and gives each to `each`, with its place. Gives what is wrong, each with its
/// place in the file, in words without any content that could be secret.
///
/// A name that ends with `.jsonl` is one consumer in JSON a line, without references: what looks like one is a
/// mistake, since it would be the secret itself. Everything else is a list in YAML, of which JSON is a part.
pub fn parse_consumers(
    name: &str,
    text: &str,
    resolver: &dyn Resolver,
    mut each: impl FnMut(ConsumerConfig, &dyn Fn() -> Span),
) -> Vec<Finding> {
    if !name.ends_with(".jsonl") {
        return list(name, text, resolver, each);
    }
    if text.trim().is_empty() {
        // As in YAML: a file that was emptied is nearly always an accident.
        let finding = Finding::error("empty", "the file holds no consumer").at(at_start(name));
        return vec![finding.help(NO_CONSUMERS)];
    }
    if text.trim() == "[]" {
        return Vec::new();
    }
    let mut mistakes = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = |column| Span { line: number.saturating_add(1), column, ..at_start(name) };
        if let Some(at) = line.find("${").filter(|_| mistakes.len() < MOST_MISTAKES) {
            let column = line.get(..at).map_or(1, |before| before.chars().count().saturating_add(1));
            let message = "in `.jsonl` a reference would stand for itself: whoever reads the file would know the secret";
            let help = "write the value, or a list in YAML or JSON, where references are resolved; `\\u0024{` are these \
                characters themselves";
            mistakes.push(Finding::error("no-references", message).at(place(column)).help(help));
        }
        match serde_json::from_str::<ConsumerConfig>(line) {
            Ok(consumer) => each(consumer, &|| place(1)),
            Err(error) if mistakes.len() < MOST_MISTAKES => {
                mistakes.extend(wrong_line(line, &error, place));
            }
            Err(_) => {}
        }
    }
    mistakes.truncate(MOST_MISTAKES);
    mistakes
}

/// What is wrong with a line: as JSON, else as a consumer, which the reader of lists says with the names of its keys.
fn wrong_line(line: &str, error: &serde_json::Error, place: impl Fn(usize) -> Span) -> Vec<Finding> {
    if !error.is_data() {
        // Such an error quotes nothing of the line.
        let why = error.to_string();
        let why = why.split(" at line ").next().unwrap_or_default();
        let finding = Finding::error("syntax", format!("this is not valid JSON: {why}"));
        return vec![finding.at(place(error.column())).help(ONE_A_LINE)];
    }
    let source = Source::new("", line);
    let mut findings = Vec::new();
    if let Some(root) = yaml::read(&source, &mut findings) {
        check::check(&root, &CONSUMER, &source, &mut findings);
    }
    if findings.is_empty() {
        let message = "it does not have the form that its schema describes";
        return vec![Finding::error("bad-consumer", message).at(place(error.column()))];
    }
    let at = |span: Option<Span>| place(span.map_or(1, |span| span.column));
    findings
        .into_iter()
        .map(|finding| Finding { span: Some(at(finding.span)), related: Vec::new(), ..finding })
        .collect()
}

/// The beginning of a file whose text is not kept.
fn at_start(name: &str) -> Span {
    Span { file: name.into(), line: 1, column: 1, start: 0, end: 0 }
}

fn list(
    name: &str,
    text: &str,
    resolver: &dyn Resolver,
    mut each: impl FnMut(ConsumerConfig, &dyn Fn() -> Span),
) -> Vec<Finding> {
    let source = Source::new(name, text);
    let mut findings: Vec<Finding> = Vec::new();
    if text.trim().is_empty() {
        let finding = Finding::error("empty", "the file holds no consumer").at(at_start(name));
        return vec![finding.help(NO_CONSUMERS)];
    }
    let root = yaml::read(&source, &mut findings).map(|mut root| {
        reference::resolve(&mut root, &source, resolver, &mut findings);
        root
    });
    let value = root.as_ref().and_then(|root| check::check(root, &CONSUMERS, &source, &mut findings).value);
    let read = value.filter(|_| !has_errors(&findings)).map(serde_json::from_value::<Vec<ConsumerConfig>>);
    match (read, &root) {
        (Some(Ok(consumers)), Some(root)) => {
            for (index, consumer) in consumers.into_iter().enumerate() {
                let place = || root.item(index).map_or(0..0, |item| item.span.clone());
                each(consumer, &|| source.span(place()));
            }
            Vec::new()
        }
        (Some(_), _) => {
            let message = "it does not have the form that its schema describes";
            vec![Finding::error("bad-consumer", message).at(source.span(0..0))]
        }
        (None, _) => {
            findings.truncate(MOST_MISTAKES);
            findings
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::FixedResolver;
    use crate::render::plain;

    fn read(name: &str, text: &str) -> (Vec<ConsumerConfig>, Vec<String>) {
        let resolver = FixedResolver::default().with_environment("KEY", "k-1");
        let mut consumers = Vec::new();
        let mistakes = parse_consumers(name, text, &resolver, |consumer, _| consumers.push(consumer));
        (consumers, mistakes.iter().map(plain).collect())
    }

    #[test]
    fn lists_and_lines_say_the_same() {
        let (list, none) =
            read("c.yaml", "- { username: a, groups: [g], keys: [\"${env:KEY}\"] }\n- { id: b }\n");
        assert!(none.is_empty(), "{none:?}");
        let lines = "{\"username\":\"a\",\"groups\":[\"g\"],\"keys\":[\"k-1\"]}\n\n{\"id\":\"b\"}\n";
        assert_eq!(read("c.jsonl", lines), (list, Vec::new()));
    }

    #[test]
    fn references_in_lines_are_a_mistake_and_not_the_secret() {
        for text in ["${env:KEY}", "a${file:/run/key}", "$${env:KEY}"] {
            let (_, mistakes) = read("c.jsonl", &format!("{{\"id\":\"b\"}}\n{{\"keys\":[\"{text}\"]}}\n"));
            assert!(mistakes.len() == 1 && mistakes[0].contains("error[no-references]"), "{mistakes:?}");
            assert!(mistakes[0].starts_with("c.jsonl:2:"), "{mistakes:?}");
        }
        let (consumers, none) = read("c.jsonl", "{\"id\":\"a\",\"keys\":[\"\\u0024{env:KEY} $5\"]}\n");
        assert_eq!((consumers.len(), none.len()), (1, 0));
    }

    #[test]
    fn a_file_that_was_emptied_is_a_mistake_and_one_that_says_so_is_none() {
        for name in ["c.yaml", "c.jsonl"] {
            for empty in ["", " \n\n"] {
                let (none, mistakes) = read(name, empty);
                assert!(none.is_empty() && mistakes.len() == 1, "{mistakes:?}");
                assert!(mistakes[0].starts_with(&format!("{name}:1:1: error[empty]")), "{mistakes:?}");
            }
            assert_eq!(read(name, "[]\n"), (Vec::new(), Vec::new()));
        }
    }

    #[test]
    fn mistakes_are_placed_and_show_no_secret() {
        let (_, mistakes) = read("c.jsonl", "{\"id\":\"a\"}\n{\"key\":\"hidden\"}\n{\"keys\":\"hidden\"}\n[");
        assert_eq!(
            mistakes,
            [
                "c.jsonl:2:2: error[unknown-key]: unknown key `key`",
                "c.jsonl:3:9: error[wrong-type]: `keys`: expected a list, found text",
                "c.jsonl:4:1: error[syntax]: this is not valid JSON: EOF while parsing a list",
            ]
        );
        let (_, mistakes) =
            read("c.jsonl", "{\"id\":\"a\",}\n- username: hidden\n{\"id\":\"a\",\"id\":\"hidden\"}");
        assert_eq!(
            mistakes,
            [
                "c.jsonl:1:11: error[syntax]: this is not valid JSON: trailing comma",
                "c.jsonl:2:2: error[syntax]: this is not valid JSON: invalid number",
                "c.jsonl:3:11: error[duplicate-key]: the key `id` stands twice",
            ]
        );
        let (_, wrong) = read("c.yaml", "- { usernam: a, keys: { key: hidden } }\n");
        assert!(wrong[0].starts_with("c.yaml:1:5: error[unknown-key]"), "{wrong:?}");
        assert!(!format!("{mistakes:?}{wrong:?}").contains("hidden"));
    }
}
