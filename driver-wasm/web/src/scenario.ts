// The scenarios that come with the page: what happens, what there is to see, and what is counted in the end.

import backOff from "../scenarios/back-off.txt";
import consumerMoves from "../scenarios/consumer-moves.txt";
import fanoutLate from "../scenarios/fanout-late.txt";
import fifty from "../scenarios/fifty.txt";
import fourCopies from "../scenarios/four-copies.txt";
import groupForms from "../scenarios/group-forms.txt";
import partitionQueue from "../scenarios/partition-queue.txt";
import queueOneBroker from "../scenarios/queue-one-broker.txt";
import slowConsumer from "../scenarios/slow-consumer.txt";
import twoGroups from "../scenarios/two-groups.txt";
import twoPeers from "../scenarios/two-peers.txt";

export interface Scenario {
  /** As addresses name it; empty for one's own. */
  name: string;
  title: string;
  /** Paragraphs to read beside it. */
  text: string[];
  /** As `flockmq simulate` takes it. */
  script: string;
  /** What is counted when it has ended, whatever the seed. */
  expected: Expected;
}

export type Expected = Partial<Record<"delivered" | "duplicate" | "lost" | "sent", number>>;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "two-peers",
    title: "Two peers",
    text: [
      "A producer and a consumer, each with a broker in its own process: nothing to install, nothing to configure but the group’s name. The brokers hear each other’s adverts, link up, and broker2 tells broker1 that it wants what is sent to orders.",
      "Watch the demand travel first, then twenty messages, and their acknowledgements back. Select broker1 to see whom it dials and what it knows of the other’s demand.",
    ],
    script: twoPeers,
    expected: { sent: 20, delivered: 20, duplicate: 0, lost: 0 },
  },
  {
    name: "group-forms",
    title: "A group forms, and a peer dies",
    text: [
      "Five peers start a second apart. Each newcomer is heard of at once and linked to all that are there: one link for each pair, however many dial at the same time.",
      "At 10 s c dies without a word. Its system resets the links, so the others notice in a moment; they dial it ever more slowly and go on with their work. What a sends then goes to four, itself included; the one message that was on its way to c is lost with it.",
    ],
    script: groupForms,
    expected: { sent: 20, delivered: 85, duplicate: 0, lost: 1 },
  },
  {
    name: "two-groups",
    title: "Two groups that cannot meet",
    text: [
      "Four peers on one network, in two groups. Adverts reach everybody, but a group’s name is compared whole: those of another are not looked at twice.",
      "What a1 sends reaches a2 alone, what b1 sends b2 alone, though both send to a topic of the same name.",
    ],
    script: twoGroups,
    expected: { sent: 20, delivered: 20, duplicate: 0, lost: 0 },
  },
  {
    name: "partition-queue",
    title: "Partition and heal, with a queue",
    text: [
      "a sends to a queue that d consumes from. After 9 s nothing gets through between a, b and c, d: the links fall silent and are given up after three seconds.",
      "The queue’s messages wait at a, which still has them; after the partition heals the peers link up anew and all forty arrive, each once. A queue’s message is at one broker at a time, and nobody lets go of it before another has it.",
    ],
    script: partitionQueue,
    expected: { sent: 40, delivered: 40, duplicate: 0, lost: 0 },
  },
  {
    name: "fanout-late",
    title: "Fanout with minAckCount, and a late broker",
    text: [
      "A client sends to every broker that it finds, and needs two of them. While there is only a, its messages wait; when b is up too, both get all that waited, and each send is done once both have accepted it.",
      "c comes at 8 s and gets what is sent from then on: a late broker is told no history. Select the client to see its targets and what each has acknowledged.",
    ],
    script: fanoutLate,
    expected: { sent: 30, delivered: 70, duplicate: 0, lost: 0 },
  },
  {
    name: "back-off",
    title: "Back-off at a dead broker",
    text: [
      "The client’s two brokers are listed. b dies, and is dialled again after 200 ms, then after twice as long each time, up to five seconds, each wait a little shorter by chance so that many clients do not come at once.",
      "Select the client to see the timer run. a is not held up by any of it. When b is back at 16 s the next attempt finds it, and it gets what is sent from then on.",
    ],
    script: backOff,
    expected: { sent: 30, delivered: 40, duplicate: 0, lost: 0 },
  },
  {
    name: "queue-one-broker",
    title: "A queue’s message and its one random broker",
    text: [
      "Three brokers are up, but what a fanout sends to a queue goes to one of them only: else every order would be worked on three times. It is chosen by chance, once: another seed, another broker.",
      "Crash the one that was chosen: another is chosen at once, and what was not answered yet is sent there.",
    ],
    script: queueOneBroker,
    expected: { sent: 20, delivered: 20, duplicate: 0, lost: 0 },
  },
  {
    name: "four-copies",
    title: "Four copies, and one",
    text: [
      "Both clients fan out to four brokers that are also linked to each other, and one application subscribes. Each broker has the message from the client and hands it on to the one whose subscriber wants it: four copies of each.",
      "The group off has checkForDuplicates=false and hands out all of them. The group on recognises what came before, as brokers do unless they are told otherwise: one copy.",
    ],
    script: fourCopies,
    expected: { sent: 20, delivered: 50, duplicate: 30, lost: 0 },
  },
  {
    name: "slow-consumer",
    title: "A slow consumer",
    text: [
      "Two subscribers, of which one reads a thousand bytes a second: what is sent for it waits, at the sender’s broker and on the way.",
      "The quick one gets every price within a moment of its being sent. Compare the two in the log, and look at the demands of the sender’s broker: how much is outstanding for each.",
    ],
    script: slowConsumer,
    expected: { sent: 200, delivered: 400, duplicate: 0, lost: 0 },
  },
  {
    name: "consumer-moves",
    title: "A consumer that moves to another peer",
    text: [
      "b’s application consumes orders, leaves after 7 s, and two seconds later the same work is taken up at c. Meanwhile the orders wait at a.",
      "Demand follows the consumers: b takes back its word, c gives its own, and what waited goes there. Each of the thirty is worked on once.",
    ],
    script: consumerMoves,
    expected: { sent: 30, delivered: 30, duplicate: 0, lost: 0 },
  },
  {
    name: "fifty",
    title: "Fifty peers and a thousand messages a second",
    text: [
      "Fifty brokers, each linked to all others: 1225 links. From 8 s on each sends twenty messages a second to a queue that another consumes from.",
      "The counter below the picture says how fast it runs here, and how often it is drawn.",
    ],
    script: fifty,
    expected: { duplicate: 0, lost: 0 },
  },
];

/** The scenario of this name; that there is none is thrown. */
export function findScenario(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found) return found;
  throw new Error(`there is no scenario '${name}'; expected one of: ${SCENARIOS.map(({ name }) => name).join(", ")}`);
}
