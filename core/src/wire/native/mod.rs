//! Frames of our own protocol: `postcard` values behind a length, a message's body as it is.
//!
//! A message names its producer, destination and path by the number of a *route*, told once and used from then on,
//! so that a small message makes a small frame. Both ends keep [`ROUTES_MAX`] routes a direction; the oldest is
//! told anew when it is needed again.

mod buffer;
mod decoder;
mod encoder;
mod head;
#[cfg(test)]
mod tests;

pub use buffer::FrameBuffer;
pub use decoder::Decoder;
pub use encoder::Encoder;
pub(crate) use encoder::SharedEncoder;

/// What a stream of our own begins with. No OpenWire stream does: that begins with a length below 2^31.
pub const PREFACE: [u8; 8] = *b"\xf1FlockMQ";
/// The lowest protocol version spoken.
pub const VERSION_MIN: u16 = 1;
/// The highest protocol version spoken.
pub const VERSION_MAX: u16 = 1;

/// How many routes each direction of a link remembers.
pub(crate) const ROUTES_MAX: u16 = 1024;
