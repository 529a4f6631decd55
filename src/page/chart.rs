//! Charts as SVG, made by pure functions: paths and boxes in whole numbers of the `viewBox`. No style and no script
//! stands in them; the style sheet gives the colours.

use std::fmt::Write as _;

/// The plane of a chart: what its sides mean, and its size in units of the `viewBox`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plane {
    /// The value at the left side.
    pub from: i64,
    /// The value at the right side.
    pub to: i64,
    /// The value at the top; the bottom is 0.
    pub top: i64,
    /// Width.
    pub width: i64,
    /// Height.
    pub height: i64,
}

impl Plane {
    fn x(&self, value: i64) -> i64 {
        share(value.saturating_sub(self.from), self.to.saturating_sub(self.from), self.width)
    }

    fn y(&self, value: i64) -> i64 {
        self.height - share(value, self.top, self.height)
    }
}

/// `length` times the part that `n` is of `of`, within `0..=length`.
fn share(n: i64, of: i64, length: i64) -> i64 {
    if of <= 0 || n <= 0 || length <= 0 {
        return 0;
    }
    let (n, of, length) = (i128::from(n.min(of)), i128::from(of), i128::from(length));
    i64::try_from((n * length + of / 2) / of).unwrap_or(0)
}

/// The step line through points in order of their first value: each value holds until the next point. Empty if there
/// is no point.
pub fn steps(points: &[(i64, i64)], plane: &Plane) -> String {
    let mut path = String::new();
    let mut last = None;
    for (at, value) in points {
        let (x, y) = (plane.x(*at), plane.y(*value));
        match last {
            None => write!(path, "M{x} {y}"),
            Some((before, height)) if height == y && before == x => Ok(()),
            Some(_) => write!(path, "H{x}V{y}"),
        }
        .expect("text takes text");
        last = Some((x, y));
    }
    path
}

/// The straight line between two points.
pub fn line(from: (i64, i64), to: (i64, i64), plane: &Plane) -> String {
    format!("M{} {}L{} {}", plane.x(from.0), plane.y(from.1), plane.x(to.0), plane.y(to.1))
}

/// A box of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// Its left side.
    pub x: i64,
    /// Its upper side.
    pub y: i64,
    /// Its width.
    pub width: i64,
    /// Its height.
    pub height: i64,
}

/// A bar for each value, side by side; what is more than nothing can be seen.
pub fn bars(values: &[i64], plane: &Plane) -> Vec<Bar> {
    let count = i64::try_from(values.len()).unwrap_or(i64::MAX).max(1);
    let side = |at: usize| share(i64::try_from(at).unwrap_or(i64::MAX), count, plane.width);
    let bar = |(at, value): (usize, &i64)| {
        let least = i64::from(*value > 0).min(plane.height);
        let height = (plane.height - plane.y(*value)).max(least);
        let (from, to) = (side(at), side(at + 1));
        // A gap between two bars, where there is room for one.
        let gap = i64::from(to - from > 2);
        Bar { x: from, y: plane.height - height, width: to - from - gap, height }
    };
    values.iter().enumerate().map(bar).collect()
}

/// One bar of full width, divided in proportion to the values. What is nothing has no width.
pub fn parts(values: &[i64], width: i64, height: i64) -> Vec<Bar> {
    let all: i64 = values.iter().map(|value| value.max(&0)).fold(0, |sum, value| sum.saturating_add(*value));
    let mut so_far = 0_i64;
    let part = |value: &i64| {
        let from = share(so_far, all, width);
        so_far = so_far.saturating_add(*value.max(&0));
        Bar { x: from, y: 0, width: share(so_far, all, width) - from, height }
    };
    values.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLANE: Plane = Plane { from: 100, to: 200, top: 50, width: 600, height: 200 };

    #[test]
    fn a_step_line_goes_right_and_then_up() {
        assert_eq!(steps(&[(100, 0), (150, 25), (200, 50)], &PLANE), "M0 200H300V100H600V0");
        assert_eq!(steps(&[], &PLANE), "");
        assert_eq!(line((100, 0), (200, 50), &PLANE), "M0 200L600 0");
    }

    /// The points of a path, if it consists of commands and whole numbers alone.
    fn points(path: &str) -> Option<Vec<(i64, i64)>> {
        let mut found: Vec<(i64, i64)> = Vec::new();
        let mut rest = path;
        while let Some(command) = rest.chars().next() {
            rest = &rest[1..];
            let number = |rest: &mut &str| {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let number = rest[..end].parse().ok()?;
                *rest = rest[end..].strip_prefix(' ').unwrap_or(&rest[end..]);
                Some(number)
            };
            let last = found.last().copied();
            found.push(match command {
                'M' | 'L' => (number(&mut rest)?, number(&mut rest)?),
                'H' => (number(&mut rest)?, last?.1),
                'V' => (last?.0, number(&mut rest)?),
                _ => return None,
            });
        }
        Some(found)
    }

    fn plane() -> impl Strategy<Value = Plane> {
        (any::<i64>(), any::<i64>(), any::<i64>(), 0_i64..2000, 0_i64..2000)
            .prop_map(|(from, to, top, width, height)| Plane { from, to, top, width, height })
    }

    proptest! {
        #[test]
        fn a_step_line_stays_inside_and_rises_with_its_values(
            mut values in prop::collection::vec((any::<i64>(), any::<i64>()), 0..40), plane in plane(),
        ) {
            values.sort_unstable();
            let mut most = i64::MIN;
            values.iter_mut().for_each(|(_, value)| { most = most.max(*value); *value = most; });
            let path = points(&steps(&values, &plane)).expect("a path");
            prop_assert_eq!(path.is_empty(), values.is_empty());
            for (x, y) in &path {
                prop_assert!((0..=plane.width).contains(x) && (0..=plane.height).contains(y), "{x} {y}");
            }
            for two in path.windows(2) {
                prop_assert!(two[0].0 <= two[1].0 && two[0].1 >= two[1].1, "{two:?}");
                prop_assert!(two[0].0 == two[1].0 || two[0].1 == two[1].1, "no step: {two:?}");
            }
        }

        #[test]
        fn bars_stand_side_by_side_inside_and_are_as_high_as_their_values(
            values in prop::collection::vec(any::<i64>(), 0..60), plane in plane(),
        ) {
            let bars = bars(&values, &plane);
            prop_assert_eq!(bars.len(), values.len());
            for (bar, value) in bars.iter().zip(&values) {
                prop_assert!(bar.x >= 0 && bar.width >= 0 && bar.x + bar.width <= plane.width, "{bar:?}");
                prop_assert!(bar.y >= 0 && bar.height >= 0 && bar.y + bar.height == plane.height, "{bar:?}");
                prop_assert_eq!(bar.height > 0, *value > 0 && plane.height > 0);
            }
            for two in bars.windows(2) {
                prop_assert!(two[0].x + two[0].width <= two[1].x, "{two:?}");
            }
        }

        #[test]
        fn parts_fill_the_whole_bar(values in prop::collection::vec(any::<i64>(), 1..8), width in 0_i64..2000) {
            let parts = parts(&values, width, 10);
            let is_any = values.iter().any(|value| *value > 0);
            prop_assert_eq!(parts.iter().map(|part| part.width).sum::<i64>(), if is_any { width } else { 0 });
            for two in parts.windows(2) {
                prop_assert_eq!(two[0].x + two[0].width, two[1].x);
            }
            for (part, value) in parts.iter().zip(&values) {
                prop_assert!(part.width >= 0 && (*value > 0 || part.width == 0), "{part:?}");
            }
        }
    }
}
