//! Which destinations a bridge is for.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::destination::Destination;

/// Which destinations cross a bridge, as one of its ends has it; names or patterns. By default all do.
///
/// Asked in this order, as in ActiveMQ: a temporary destination crosses if those may; what is excluded does not; what is
/// statically included does; anything else does not if only that may; what is dynamically included does, or everything if
/// nothing is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permits {
    /// These never cross (`excludedDestinations`).
    pub excluded: Vec<Destination>,
    /// These are forwarded whether or not the other end wants them (`staticallyIncludedDestinations`).
    pub statically_included: Vec<Destination>,
    /// These cross where they are wanted, and others do not; all do if there are none (`dynamicallyIncludedDestinations`).
    pub dynamically_included: Vec<Destination>,
    /// True if nothing crosses but what is statically included (`staticBridge`).
    pub is_static: bool,
    /// True if temporary destinations cross (`bridgeTempDestinations`).
    pub temporary: bool,
}

impl Default for Permits {
    /// Everything crosses where it is wanted.
    fn default() -> Self {
        Self {
            excluded: Vec::new(),
            statically_included: Vec::new(),
            dynamically_included: Vec::new(),
            is_static: false,
            temporary: true,
        }
    }
}

impl Permits {
    /// True if everything crosses where it is wanted, so that there is no need to ask.
    pub(crate) fn are_all(&self) -> bool {
        let Self { excluded, statically_included, dynamically_included, is_static, temporary } = self;
        let lists = [excluded, statically_included, dynamically_included];
        lists.into_iter().all(Vec::is_empty) && !is_static && *temporary
    }

    /// True if messages of this destination may cross.
    pub(crate) fn allow(&self, destination: &Destination) -> bool {
        self.decide(destination, Destination::matches)
    }

    /// True if some of what a consumer asks for may cross: a destination, or any that its pattern covers.
    pub(crate) fn may_concern(&self, wanted: &Destination) -> bool {
        if !wanted.is_pattern() {
            return self.allow(wanted);
        }
        !self.excluded.iter().any(|excluded| covers(excluded, wanted)) && self.decide_rest(wanted, overlap)
    }

    /// What is forwarded without being wanted.
    pub(crate) fn forwarded(&self) -> impl Iterator<Item = &Destination> {
        self.statically_included.iter().filter(|included| self.may_concern(included))
    }

    /// True if messages of this destination are forwarded without being wanted.
    pub(crate) fn force(&self, destination: &Destination) -> bool {
        self.statically_included.iter().any(|included| included.matches(destination)) && self.allow(destination)
    }

    fn decide(&self, found: &Destination, is_of: impl Fn(&Destination, &Destination) -> bool) -> bool {
        if found.is_temporary() {
            return self.temporary;
        }
        !self.excluded.iter().any(|excluded| is_of(excluded, found)) && self.decide_rest(found, is_of)
    }

    fn decide_rest(&self, found: &Destination, is_of: impl Fn(&Destination, &Destination) -> bool) -> bool {
        let is_among = |listed: &[Destination]| listed.iter().any(|listed| is_of(listed, found));
        is_among(&self.statically_included)
            || (!self.is_static && (self.dynamically_included.is_empty() || is_among(&self.dynamically_included)))
    }
}

/// True if whatever the pattern `inner` covers, `outer` covers too.
fn covers(outer: &Destination, inner: &Destination) -> bool {
    if !is_same_kind(outer, inner) {
        return false;
    }
    let (mut outer, mut inner) = (outer.name().split('.').peekable(), inner.name().split('.').peekable());
    loop {
        match (outer.next(), inner.next()) {
            (Some(">"), _) if outer.peek().is_none() => return true,
            (_, Some(">")) if inner.peek().is_none() => return false,
            (Some(above), Some(below)) if above == "*" || above == below => (),
            (above, below) => return above.is_none() && below.is_none(),
        }
    }
}

/// True if there are names that both patterns cover.
fn overlap(a: &Destination, b: &Destination) -> bool {
    if !is_same_kind(a, b) {
        return false;
    }
    let (mut a, mut b) = (a.name().split('.').peekable(), b.name().split('.').peekable());
    loop {
        match (a.next(), b.next()) {
            (Some(">"), _) if a.peek().is_none() => return true,
            (_, Some(">")) if b.peek().is_none() => return true,
            (Some(left), Some(right)) if left == "*" || right == "*" || left == right => (),
            (left, right) => return left.is_none() && right.is_none(),
        }
    }
}

fn is_same_kind(a: &Destination, b: &Destination) -> bool {
    a.kind() == b.kind() && a.is_temporary() == b.is_temporary()
}

#[cfg(test)]
mod tests {
    use super::super::destination::DestinationKind;
    use super::super::id::{BrokerId, ConnectionId};
    use super::super::temporary::Temporary;
    use super::*;

    fn all(texts: &[&str]) -> Vec<Destination> {
        texts.iter().map(|text| at(text)).collect()
    }

    fn at(text: &str) -> Destination {
        text.parse().expect(text)
    }

    #[test]
    fn what_is_excluded_comes_before_what_is_included_and_that_before_the_rest() {
        let permits = Permits {
            excluded: all(&["topic://a.secret.>", "q.*"]),
            statically_included: all(&["topic://a.secret.open", "topic://b"]),
            dynamically_included: all(&["topic://a.>", "q.>"]),
            ..Permits::default()
        };
        let cases = [
            ("topic://a.b", true),
            ("topic://a.secret.open", false),
            ("topic://b", true),
            ("topic://c", false),
            ("queue://a.b", false),
            ("queue://q.a", false),
            ("queue://q.a.b", true),
        ];
        for (destination, is_allowed) in cases {
            assert_eq!(permits.allow(&at(destination)), is_allowed, "{destination}");
        }
        assert!(!permits.are_all() && Permits::default().are_all() && Permits::default().allow(&at("q")));
    }

    #[test]
    fn a_static_bridge_is_for_what_is_statically_included_alone() {
        let permits = Permits {
            excluded: all(&["topic://a.x"]),
            statically_included: all(&["topic://a.*", "topic://b.x", "topic://a.x"]),
            dynamically_included: all(&["topic://c"]),
            is_static: true,
            ..Permits::default()
        };
        for (destination, is_allowed) in
            [("topic://a.b", true), ("topic://a.x", false), ("topic://c", false), ("q", false)]
        {
            assert_eq!(permits.allow(&at(destination)), is_allowed, "{destination}");
        }
        assert_eq!(permits.forwarded().collect::<Vec<_>>(), [&at("topic://a.*"), &at("topic://b.x")]);
    }

    #[test]
    fn temporary_destinations_are_a_matter_of_their_own() {
        let name = Temporary { broker: BrokerId(1), connection: ConnectionId(2), number: 3 };
        let reply = Destination::temporary(DestinationKind::Queue, name);
        for temporary in [true, false] {
            let listed = all(&["queue://>", "topic://>"]);
            let permits = Permits { excluded: listed.clone(), is_static: true, temporary, ..Permits::default() };
            assert_eq!((permits.allow(&reply), permits.may_concern(&reply)), (temporary, temporary));
        }
    }

    /// Part of what a pattern asks for may cross; each message is asked for again by its own name.
    #[test]
    fn a_pattern_is_of_concern_unless_nothing_it_covers_may_cross() {
        let excluding = Permits { excluded: all(&["topic://a.>", "topic://b.*", "q"]), ..Permits::default() };
        let cases = [
            ("topic://a.*", false),
            ("topic://a.>", false),
            ("topic://a", false),
            ("topic://*.b", true),
            ("topic://>", true),
            ("topic://b.*", false),
            ("topic://b.>", true),
            ("topic://b.*.c", true),
            ("queue://*", true),
            ("queue://a.>", true),
        ];
        for (pattern, is_of_concern) in cases {
            assert_eq!(excluding.may_concern(&at(pattern)), is_of_concern, "{pattern}");
        }
        let including = Permits { dynamically_included: all(&["topic://a.b.>", "q.*.x"]), ..Permits::default() };
        let cases = [
            ("topic://>", true),
            ("topic://a.>", true),
            ("topic://*.*", true),
            ("topic://*", false),
            ("topic://a.c.>", false),
            ("queue://q.y.*", true),
            ("queue://q.y.z.*", false),
            ("queue://*.*", false),
        ];
        for (pattern, is_of_concern) in cases {
            assert_eq!(including.may_concern(&at(pattern)), is_of_concern, "{pattern}");
        }
    }
}
