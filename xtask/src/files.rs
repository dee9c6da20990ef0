//! No file is too long to be read in one sitting.

use anyhow::{Result, bail};

use crate::lines;
use crate::workspace::{Metadata, root};

/// Lines without tests that no file may exceed.
const HARD_CAP: usize = 500;

/// Lines without tests from which a file is printed, as a hint to split it.
const SOFT_CAP: usize = 400;

pub(crate) fn run() -> Result<()> {
    let mut too_long = 0;
    let mut files = 0;
    for package in Metadata::load()?.members() {
        let Some(directory) = package.manifest_path.parent() else { continue };
        for source in lines::sources(directory)? {
            files += 1;
            let path = source.path.strip_prefix(root()).unwrap_or(&source.path).display();
            if source.lines > HARD_CAP {
                too_long += 1;
                println!(
                    "error: {path} has {} lines without tests; the hard cap is {HARD_CAP}",
                    source.lines
                );
            } else if source.lines > SOFT_CAP {
                println!("note: {path} has {} lines without tests; aim below {SOFT_CAP}", source.lines);
            }
        }
    }
    if too_long > 0 {
        bail!("{too_long} of {files} files are too long; give each idea its own file");
    }
    println!("{files} files, none above {HARD_CAP} lines without tests");
    Ok(())
}
