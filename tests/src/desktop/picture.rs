//! What is on the screen, as pixels.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use super::SOON;
use crate::wait::wait_until;

/// The colour of the button that goes on, on the Hub's pages (its page.css).
const GOES_ON: [u8; 3] = [0x0a, 0x66, 0xc2];
/// Less of it is a line or a link.
const LEAST: usize = 500;
/// A button nearer than this (pixels) is the same one, pressed or under the pointer.
const OTHER: usize = 20;

/// Text alone has more shades than this.
const DRAWN: usize = 16;

struct Picture {
    width: usize,
    /// Red, green, blue and how opaque.
    pixels: Vec<[u8; 4]>,
}

fn read(bytes: &[u8]) -> Option<Picture> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().ok()?;
    let mut data = vec![0; reader.output_buffer_size()?];
    let info = reader.next_frame(&mut data).ok()?;
    data.truncate(info.buffer_size());
    let pixels = data.chunks(info.color_type.samples()).filter_map(|pixel| match *pixel {
        [grey, alpha] => Some([grey, grey, grey, alpha]),
        [red, green, blue, alpha] => Some([red, green, blue, alpha]),
        _ => None,
    });
    Some(Picture { width: usize::try_from(info.width).ok()?, pixels: pixels.collect() })
}

/// The shape of an icon: what of it is drawn, and how strongly. The colour is the system's to choose.
/// `None` while it is no picture: it may be half written.
#[must_use]
pub fn shape(path: &Path) -> Option<Vec<u8>> {
    let picture = read(&std::fs::read(path).ok()?)?;
    Some(picture.pixels.iter().map(|[.., alpha]| *alpha).collect())
}

/// Whether a window shows more than its ground.
///
/// # Panics
/// There is no `import` (package imagemagick).
#[must_use]
pub fn is_drawn(window: &str) -> bool {
    let shot = Command::new("import").args(["-window", window, "png:-"]).output().expect("import (imagemagick)");
    let Some(picture) = read(&shot.stdout) else { return false };
    let colours: BTreeSet<[u8; 4]> = picture.pixels.into_iter().collect();
    colours.len() > DRAWN
}

/// The middle of the button that goes on, once the window shows one; of another one than `not`, if that is given. So
/// the page is known to be drawn.
///
/// # Panics
/// There is none.
pub async fn button(window: &str, not: Option<(usize, usize)>) -> (usize, usize) {
    wait_until(SOON, "the page shows its button", async || {
        let shot = Command::new("import").args(["-window", window, "png:-"]).output().expect("import (imagemagick)");
        let picture = read(&shot.stdout)?;
        let blue =
            picture.pixels.iter().enumerate().filter(|(_, [red, green, blue, _])| [*red, *green, *blue] == GOES_ON);
        let at: Vec<usize> = blue.map(|(at, _)| at).collect();
        if at.len() < LEAST {
            return None;
        }
        let x = at.iter().map(|at| at % picture.width).sum::<usize>() / at.len();
        let y = at.iter().map(|at| at / picture.width).sum::<usize>() / at.len();
        Some((x, y)).filter(|_| not.is_none_or(|(left, top)| x.abs_diff(left) + y.abs_diff(top) > OTHER))
    })
    .await
}
