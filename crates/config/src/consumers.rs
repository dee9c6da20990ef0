//! Files of consumers, read apart from the configuration so that there can be very many.

use std::sync::LazyLock;

use crate::check;
use crate::finding::{Finding, has_errors};
use crate::reference::{self, Resolver};
use crate::render::plain;
use crate::schema::schema_of;
use crate::shape::{self, Shape};
use crate::source::Source;
use crate::written::ConsumerConfig;
use crate::yaml;

/// More than this many mistakes of one file help nobody.
const MOST_MISTAKES: usize = 20;

/// The shape of a whole file of consumers.
static CONSUMERS: LazyLock<Shape> = LazyLock::new(|| {
    let schema = schema_of::<Vec<ConsumerConfig>>();
    shape::compile(&schema, &schema).expect("the generated schema has only known keywords; a test holds it")
});

/// Reads a file of consumers and gives each to `each`, with its place in words. Gives what is wrong, each
/// with its place in the file, in words without any content that could be secret.
///
/// A name that ends with `.jsonl` is one consumer in JSON a line, without references; everything else is a
/// list in YAML, of which JSON is a part.
pub fn parse_consumers(
    name: &str,
    text: &str,
    resolver: &dyn Resolver,
    mut each: impl FnMut(ConsumerConfig, &dyn Fn() -> String),
) -> Vec<String> {
    if !name.ends_with(".jsonl") {
        return list(name, text, resolver, each);
    }
    let mut mistakes = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = number.saturating_add(1);
        match serde_json::from_str::<ConsumerConfig>(line) {
            Ok(consumer) => each(consumer, &|| format!("{name}:{number}")),
            Err(error) if mistakes.len() < MOST_MISTAKES => {
                mistakes.push(format!("{name}:{number}:{}: this is not a consumer in JSON", error.column()));
            }
            Err(_) => {}
        }
    }
    mistakes
}

fn list(
    name: &str,
    text: &str,
    resolver: &dyn Resolver,
    mut each: impl FnMut(ConsumerConfig, &dyn Fn() -> String),
) -> Vec<String> {
    let source = Source::new(name, text);
    let mut findings: Vec<Finding> = Vec::new();
    let value = yaml::read(&source, &mut findings).and_then(|mut root| {
        reference::resolve(&mut root, &source, resolver, &mut findings);
        check::check(&root, &CONSUMERS, &source, &mut findings).value
    });
    let read = value.filter(|_| !has_errors(&findings)).map(serde_json::from_value::<Vec<ConsumerConfig>>);
    match read {
        Some(Ok(consumers)) => {
            for (index, consumer) in consumers.into_iter().enumerate() {
                each(consumer, &|| format!("{name}, number {}", index.saturating_add(1)));
            }
            Vec::new()
        }
        Some(Err(_)) => vec![format!("{name}: it does not have the form that its schema describes")],
        None => findings.iter().take(MOST_MISTAKES).map(plain).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::FixedResolver;

    fn read(name: &str, text: &str) -> (Vec<ConsumerConfig>, Vec<String>) {
        let resolver = FixedResolver::default().with_environment("KEY", "k-1");
        let mut consumers = Vec::new();
        let mistakes = parse_consumers(name, text, &resolver, |consumer, _| consumers.push(consumer));
        (consumers, mistakes)
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
    fn mistakes_are_placed_and_show_no_secret() {
        let (_, mistakes) = read("c.jsonl", "{\"id\":\"a\"}\n{\"key\":\"hidden\"}\n{\"keys\":\"hidden\"}\n[");
        assert_eq!(mistakes.len(), 3);
        assert!(mistakes[0].starts_with("c.jsonl:2:"), "{mistakes:?}");
        let (_, wrong) = read("c.yaml", "- { usernam: a, keys: { key: hidden } }\n");
        assert!(wrong[0].starts_with("c.yaml:1:5: error[unknown-key]"), "{wrong:?}");
        assert!(!format!("{mistakes:?}{wrong:?}").contains("hidden"));
    }
}
