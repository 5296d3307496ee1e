// The simulator's page in headless Chromium.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { after, before, test } from "node:test";

import { World } from "../../pkg/node.js";
import { native } from "../../tests/native.mjs";
import { runs } from "../../tests/runs.mjs";
import { open } from "./browser.mjs";

const SCENARIOS = readdirSync(new URL("../scenarios", import.meta.url)).map((file) => file.replace(/\.txt$/, ""));
const SMALL = SCENARIOS.filter((name) => name !== "fifty");
const artefacts = process.env.ARTEFACTS ?? "target/browser";
const random = () => BigInt(`0x${randomBytes(8).toString("hex")}`).toString(16);

let site;
before(async () => {
  mkdirSync(artefacts, { recursive: true });
  site = await open();
});
after(() => site.close());

const script = (name) => readFileSync(new URL(`../scenarios/${name}.txt`, import.meta.url), "utf8");

test("the page offers every scenario, and each has a text beside it", async () => {
  const visit = await site.visit("#seed=1&at=100");
  const offered = await visit.page.locator("#scenario option").evaluateAll((options) => options.map((option) => option.value));
  assert.deepEqual(offered.toSorted(), SCENARIOS);
  for (const name of offered) {
    await visit.page.evaluate((name) => (location.hash = `#scenario=${name}&seed=1&at=1`), name);
    await visit.page.waitForFunction((name) => document.querySelector("#scenario").value === name && document.body.dataset.busy === "false", name);
    assert((await visit.page.innerText("#story")).length > 150, name);
  }
  await visit.leave();
});

for (const name of SMALL) {
  test(`the scenario ${name} ends with the counts expected, and as it does for Node`, async () => {
    for (const seed of ["1", random()]) {
      const expected = World.simulate(seed, script(name));
      const visit = await site.visit(`#scenario=${name}&seed=${seed}&at=${expected.milliseconds}`);
      const tally = await visit.tally();
      const judged = Object.values(tally).filter(({ verdict }) => verdict);
      assert(judged.length >= 3 && judged.every(({ verdict }) => verdict === "✓ as expected"), `seed ${seed}: ${JSON.stringify(tally)}`);
      assert.deepEqual([tally.sent.found, tally.delivered.found], [expected.sent, expected.delivered]);
      assert.equal(await visit.trace(), expected.traceHash, `seed ${seed}`);
      await visit.leave();
    }
  });
}

test("a scenario runs by itself, pauses at its end, and messages on their way can be read", async () => {
  const visit = await site.visit("#scenario=two-peers&seed=1");
  assert.equal(await visit.page.textContent("#run"), "Pause", "it has begun");
  await visit.setSpeed(4);
  await visit.page.waitForFunction(() => document.querySelector("#run").textContent === "Run", null, { timeout: 30_000 });
  await visit.settle();
  assert.equal((await visit.tally()).delivered.verdict, "✓ as expected");

  await visit.goTo(4050);
  const [one, other] = await Promise.all(["broker1", "broker2"].map((host) => visit.page.locator(`[data-host="${host}"]`).boundingBox()));
  const y = one.y + one.height / 2;
  const tip = visit.page.locator(".tip");
  for (let x = one.x + one.width; x < other.x && !(await tip.isVisible()); x += 8) {
    await visit.page.mouse.move(x, y + 5);
    await visit.page.waitForTimeout(40);
  }
  assert.match(await tip.innerText(), /queue:\/\/orders\n.*:1\n“order”\nbroker1 → broker2/);
  await visit.leave();
});

test("cutting a link shows the loss of the peer, healing it a peer again", async () => {
  const visit = await site.visit("#scenario=two-peers&seed=3&at=3000");
  assert.doesNotMatch(await visit.log(), /peer lost/);
  await visit.select("broker1", "broker2");
  await visit.press("Cut link");
  assert.match(await visit.page.innerText("#details"), /cut both ways/);
  await visit.runUntil(() => /peer lost/.test(document.querySelector("#log").innerText));
  assert.match(await visit.page.innerText("#details"), /no link; cut both ways/);
  await visit.press("Heal link");
  await visit.runUntil(() => (document.querySelector("#log").innerText.match(/peer ready/g) ?? []).length >= 4);
  assert.match(await visit.page.innerText("#details"), /a bridge, ready/);
  await visit.leave();
});

test("a lasso selects hosts, which are cut off together", async () => {
  const visit = await site.visit("#scenario=two-groups&seed=1&at=4000");
  await visit.press("Lasso");
  const boxes = await Promise.all(["a1", "b1"].map((host) => visit.page.locator(`[data-host="${host}"]`).boundingBox()));
  const [left, right] = [boxes[0].x - 30, boxes[1].x + boxes[1].width + 30];
  const [top, bottom] = [boxes[0].y - 20, boxes[0].y + boxes[0].height + 30];
  await visit.page.mouse.move(left, top);
  await visit.page.mouse.down();
  for (const [x, y] of [[right, top], [right, bottom], [left, bottom]]) await visit.page.mouse.move(x, y, { steps: 5 });
  await visit.page.mouse.up();
  const pressed = await visit.page.locator('.host[aria-pressed="true"]').evaluateAll((hosts) => hosts.map((host) => host.dataset.host));
  assert.deepEqual(pressed.toSorted(), ["a1", "b1"]);
  await visit.press("Cut off");
  assert.match(await visit.log(), /partition a1 b1/);
  await visit.goTo(60_000);
  await visit.page.keyboard.press("Escape");
  await visit.settle();
  assert.match(await visit.log(), /peer lost/);
  await visit.leave();
});

test("hosts crash, restart, are added, and send and answer by hand", async () => {
  const visit = await site.visit("#scenario=two-peers&seed=1&at=13900");
  await visit.page.fill('#add [name="name"]', "third");
  await visit.page.fill('#add [name="group"]', "groupA");
  await visit.press("Add");
  await visit.page.fill('#subscribe [name="destination"]', "queue://squares");
  await visit.page.check('#subscribe [name="answers"]');
  await visit.press("Subscribe");
  await visit.goTo(16_000);
  await visit.select("broker1");
  await visit.page.fill('#send [name="destination"]', "queue://squares");
  await visit.page.fill('#send [name="text"]', "two words");
  await visit.page.fill('#send [name="times"]', "3");
  await visit.page.check('#send [name="asks"]');
  await visit.press("Send");
  await visit.goTo(18_000);
  const { sent, delivered, missing } = await visit.tally();
  assert.deepEqual([sent.found, delivered.found, missing.found], [26, 26, 0], "three questions and three answers more");
  await visit.select("third");
  await visit.press("Crash");
  await visit.settle();
  assert.match(await visit.page.innerText("#details"), /Nothing runs here/);
  await visit.press("Restart");
  await visit.goTo(20_000);
  assert.match(await visit.page.innerText("#details"), /started 2 times[^]*queue:\/\/squares/);
  await visit.leave();
});

test("the fanout's targets and the back-off of a dead broker are to be seen", async () => {
  const visit = await site.visit("#scenario=back-off&seed=1&at=9000");
  await visit.select("client");
  await visit.settle();
  const details = await visit.page.innerText("#details");
  assert.match(details, /dialled again in|being dialled/);
  assert.match(details, /Fanout targets[^]*a\s+up\s+\d+/);
  await visit.leave();
});

test("scrubbing back and forward gives the same state", async () => {
  const visit = await site.visit("#scenario=partition-queue&seed=7&at=11000");
  const there = await visit.state();
  await visit.goTo(20_000);
  assert.notEqual(await visit.trace(), there.trace);
  await visit.goTo(3_000);
  await visit.goTo(11_000);
  assert.deepEqual(await visit.state(), there);
  await visit.press("Step");
  await visit.settle();
  assert.notEqual(await visit.trace(), there.trace);
  await visit.goTo(11_000);
  assert.deepEqual(await visit.state(), there);
  await visit.leave();
});

test("a shared address reproduces the run, and what is exported is the same run natively", async () => {
  const visit = await site.visit("#scenario=group-forms&seed=5eed&at=6000");
  await visit.select("b");
  await visit.press("Crash");
  await visit.goTo(8_000);
  await visit.select("d", "e");
  await visit.press("Cut off");
  await visit.page.locator('#faults [name="loss"]').fill("40");
  await visit.runUntil(() => parseFloat(document.querySelector("#time").textContent) > 15, 4);
  await visit.page.keyboard.press("Escape");
  await visit.settle();
  const [state, address] = [await visit.state(), new URL(visit.page.url()).hash];
  const [download] = await Promise.all([visit.page.waitForEvent("download"), visit.press("Export")]);
  const exported = readFileSync(await download.path(), "utf8");
  await visit.leave();
  const other = await site.visit(address);
  assert.deepEqual(await other.state(), state);
  await other.leave();
  assert.match(exported, /crash b\n[^]*partition d e\n[^]*faults .*loss=40%/);
  const again = World.replay("5eed", exported);
  again.runUntil(Number(new URLSearchParams(address.slice(1)).get("at")));
  assert.equal(again.traceHash(), state.trace);
});

test("addresses that are none are told of in words, and harm nothing", async () => {
  const cases = {
    "scenario=two-pears": /there is no scenario 'two-pears'; expected one of: two-peers/,
    "seed=xyz": /the seed 'xyz' is no hexadecimal number/,
    "at=soon": /'at=soon' is no moment/,
    "at=1e9": /'at=1e9' is no moment/,
    "at=99999999": /too far/,
    "do=crash": /'do=crash' is no deed/,
    "do=5+crash+broker1&do=4+crash+broker2": /comes after a later one/,
    "scenario=two-peers&at=5000&do=4000+crash+nobody": /there is no host 'nobody' yet; expected one of: broker1, broker2/,
    "script=hots+a": /line 1, column 1: 'hots' can't stand here; expected one of: host/,
    "script=run+1s&scenario=two-peers": /either/,
    "color=red": /'color' can't stand in the address/,
    "seed=1&seed=2": /'seed' is said twice/,
    "%E0%A4%A": /can't stand in the address/,
  };
  const visit = await site.visit("#at=100");
  for (const [fragment, expected] of Object.entries(cases)) {
    await visit.page.evaluate((fragment) => (location.hash = fragment), fragment);
    await visit.page.waitForSelector("#message:not([hidden])");
    assert.match((await visit.message()) ?? "", expected, fragment);
    await visit.page.evaluate(() => (location.hash = "#scenario=two-peers&seed=1&at=5000"));
    await visit.page.waitForSelector("#message", { state: "hidden" });
    await visit.settle();
    assert.equal((await visit.tally()).sent.found, 4, fragment);
  }
  await visit.leave();
});

test("a scenario file is opened, and one that is none is told of by line and column", async () => {
  const visit = await site.visit("#at=100");
  const file = (text) => visit.page.setInputFiles("#import", { name: "mine.txt", mimeType: "text/plain", buffer: Buffer.from(text) });
  await file("host a peer://g\ncrash b\n");
  await visit.page.waitForSelector("#message:not([hidden])");
  assert.match((await visit.message()) ?? "", /line 2, column 7: there is no host 'b' yet; expected one of: a/);
  await file("#".repeat(40_000));
  await visit.page.waitForFunction(() => /32/.test(document.querySelector("#message-text").textContent));
  await file("host a peer://g\nsubscribe a queue://q\nsend a queue://q x 5 times\nrun 2s\n");
  await visit.page.waitForFunction(() => /own/.test(document.querySelector("#title").textContent));
  await visit.goTo(2_000);
  assert.equal((await visit.tally()).delivered.found, 5);
  const address = new URL(visit.page.url()).hash;
  await visit.leave();
  const other = await site.visit(address);
  assert.equal((await other.tally()).delivered.found, 5, "its address holds it");
  await other.leave();
});

test("the keyboard is enough", async () => {
  const visit = await site.visit("#scenario=two-peers&seed=1&at=3000");
  const { page } = visit;
  const focusOn = async (selector) => {
    for (let presses = 0; presses < 80; presses++) {
      if (await page.evaluate((selector) => document.activeElement?.matches(selector) ?? false, selector)) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`Tab does not get to ${selector}`);
  };
  await focusOn('[data-host="broker1"]');
  const before = await page.locator('[data-host="broker1"]').boundingBox();
  await page.keyboard.press("ArrowDown");
  const moved = await page.locator('[data-host="broker1"]').boundingBox();
  assert(moved.y > before.y, "arrows move a host");
  await page.keyboard.press("Enter");
  await focusOn('[data-host="broker2"]');
  await page.keyboard.press("Shift+Enter");
  assert.equal(await page.locator('.host[aria-pressed="true"]').count(), 2);
  await focusOn('[data-key="Cut link"]');
  await page.keyboard.press("Enter");
  await visit.settle();
  assert.match(await page.innerText("#details"), /cut both ways/);
  await focusOn('[data-key="Heal link"]');
  await page.keyboard.press("Space");
  await visit.settle();
  assert.doesNotMatch(await page.innerText("#details"), /cut/);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator('.host[aria-pressed="true"]').count(), 0);
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press(".");
  await visit.settle();
  const stepped = await visit.trace();
  await page.keyboard.press("Space");
  await page.waitForFunction((stepped) => document.querySelector("#trace").textContent !== stepped, stepped);
  await page.keyboard.press("Space");
  await visit.settle();
  assert.equal(await page.textContent("#run"), "Run");
  await visit.leave();
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 768, 390]) {
    test(`everything has its place at ${width} pixels, ${colorScheme}`, async () => {
      for (const [name, at, selected] of [["two-peers", 5000, "broker1"], ["four-copies", 7100, "sender1"], ["back-off", 8000, "client"], ["fifty", 2000, "p1"]]) {
        const visit = await site.visit(`#scenario=${name}&seed=1&at=${at}`, { width, height: 900, colorScheme });
        await visit.select(selected);
        await visit.settle();
        const { page } = visit;
        const outside = await page.evaluate(() => {
          const stage = document.querySelector("#stage").getBoundingClientRect();
          const isIn = (box, frame) => box.left >= frame.left - 1 && box.right <= frame.right + 1 && box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1;
          const hosts = [...document.querySelectorAll(".host")].filter((host) => !isIn(host.getBoundingClientRect(), stage));
          const controls = [...document.querySelectorAll("button, input, select, td, summary")].filter((element) => {
            const box = element.getBoundingClientRect();
            return box.width > 0 && (box.left < -1 || box.right > innerWidth + 1);
          });
          return [...hosts, ...controls].map((element) => element.outerHTML.slice(0, 80));
        });
        assert.deepEqual(outside, [], name);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, `${name} fits its window`);
        await page.screenshot({ path: `${artefacts}/${name}-${width}-${colorScheme}.png`, fullPage: true });
        await visit.leave();
      }
    });
  }
}

test("a hundred drawn seeds leave the same traces in the browser, under Node and natively", async (context) => {
  const seeds = Array.from({ length: 100 }, random);
  const visit = await site.visit("#at=1");
  for (const [name, run] of Object.entries(runs)) {
    const some = name === "drawn" ? seeds : seeds.slice(0, 3);
    const expected = native(name, some);
    const found = await visit.page.evaluate(async ([name, seeds]) => {
      const { default: init, World } = await import("/pkg/flockmq_wasm.js");
      const { runs } = await import("/runs/runs.mjs");
      await init();
      return seeds.map((seed) => {
        const { hash, delivered } = runs[name](World, seed);
        return `${hash} ${delivered}`;
      });
    }, [name, some]);
    some.forEach((seed, index) => {
      const { hash, delivered } = run(World, seed);
      assert.equal(found[index], expected.get(seed), `seed ${seed}, ${name}: the browser (left) and native (right)`);
      assert.equal(`${hash} ${delivered}`, expected.get(seed), `seed ${seed}, ${name}: Node (left) and native (right)`);
    });
    context.diagnostic(`${name}: ${some.length} seeds`);
  }
  await visit.leave();
});

test("fifty brokers and a thousand messages a second run at real time, drawn thirty times a second", async (context) => {
  const visit = await site.visit("#scenario=fifty&seed=1&at=9000");
  await visit.page.click("#run");
  const readings = [];
  const isEnough = ({ fps, pace, rate }) => fps >= 30 && pace >= 0.99 && rate >= 900;
  for (let second = 0; second < 20 && !isEnough(readings.at(-1) ?? { fps: 0 }); second++) {
    await visit.page.waitForTimeout(1000);
    readings.push(await visit.page.locator("#meter").evaluate(({ dataset }) => ({ fps: Number(dataset.fps), pace: Number(dataset.pace), rate: Number(dataset.rate) })));
  }
  context.diagnostic(JSON.stringify(readings));
  await visit.page.screenshot({ path: `${artefacts}/fifty-running.png` });
  assert(isEnough(readings.at(-1)), JSON.stringify(readings));
  assert.equal(await visit.page.locator(".host").count(), 50);
  await visit.leave();
});
