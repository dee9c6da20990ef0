//! The measurements as one table.

const HEADINGS: [&str; 11] = [
    "mode",
    "window",
    "limit",
    "disturbance",
    "seconds",
    "fullest second",
    "used",
    "questions/s/node",
    "asked",
    "unanswered",
    "",
];

/// Lines of cells that tabs separate, under the headings; each column as wide as its widest cell.
pub(super) fn render(rows: &str) -> String {
    let rows: Vec<Vec<&str>> = std::iter::once(HEADINGS.to_vec())
        .chain(rows.lines().map(|line| line.split('\t').collect()))
        .collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let line = |row: &Vec<&str>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            // Words to the left, numbers to the right.
            0 | 1 | 3 | 10 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn cells_stand_under_their_headings() {
        let text = render("Exact\tfixed\t10/s\tNothing\t3\t10\t97.0 %\t4\t999\t0\tholds\n");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        let end = |line: &str, part: &str| line.find(part).map(|at| at + part.len());
        assert_eq!(end(lines[0], "fullest second"), end(lines[1], "  10  ").map(|at| at - 2));
        assert_eq!(lines[0].find("disturbance"), lines[1].find("Nothing"));
    }
}
