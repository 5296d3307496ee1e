//! A chat without a server: everybody who runs this in the same network (or on the same machine) is in the room.
//!
//! ```sh
//! cargo run -p flockmq --example peer_chat -- Ada            # in one terminal
//! cargo run -p flockmq --example peer_chat -- Grace          # in another
//! ```

use std::io::BufRead;

use flockmq::{Event, Message};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("usage: peer_chat NAME [ROOM]")?;
    let room = arguments.next().unwrap_or_else(|| "lobby".into());

    let connection = flockmq::connect(&format!("peer://chat-{room}")).await?;
    let mut events = connection.events();
    let mut heard = connection.subscribe("topic://chat").await?;
    let said = connection.producer("topic://chat").await?;
    let mut lines = read_lines();
    println!("You are {name} in '{room}'. Type to talk, end with Ctrl-D.");

    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) => drop(said.send(Message::text(line).property("from", name.as_str())?).await?),
                None => break,
            },
            delivery = heard.next() => match delivery {
                Some(delivery) => match delivery.property("from") {
                    Some(from) if from.to_string() == name => (), // Our own words.
                    Some(from) => println!("{from}: {}", delivery.text()?),
                    None => println!("somebody: {}", delivery.text()?),
                },
                None => break,
            },
            event = events.next() => match event {
                Some(Event::PeerReady { name, .. }) => println!("* {name} is here"),
                Some(Event::PeerLost { name, reason, .. }) => println!("* {name} is gone: {reason}"),
                Some(_) => (),
                None => break,
            },
        }
    }
    connection.close().await?;
    Ok(())
}

/// Lines of standard input, read by a thread, since a terminal can't be waited for otherwise.
fn read_lines() -> tokio::sync::mpsc::Receiver<String> {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
