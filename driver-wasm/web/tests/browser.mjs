// A headless Chromium with the page in it, and words for what people do there.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

import { serve } from "../serve.mjs";

const folder = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Serves the page and starts a browser. */
export async function open() {
  const { address, close } = await serve({ "/pkg/": folder("../../pkg"), "/runs/": folder("../../tests"), "/": folder("../dist") });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  return {
    /** A visit of the page; whatever goes wrong in it, or is loaded from elsewhere, makes `leave` fail. */
    async visit(fragment = "", { width = 1280, height = 900, colorScheme = "light" } = {}) {
      const context = await browser.newContext({ viewport: { width, height }, colorScheme, acceptDownloads: true });
      const page = await context.newPage();
      const wrong = [];
      page.on("pageerror", (error) => wrong.push(error.message));
      page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
      page.on("request", (request) => request.url().startsWith(address) || /^(blob|data):/.test(request.url()) || wrong.push(`loads ${request.url()}`));
      await page.goto(address + fragment);
      await page.waitForSelector("body[data-ready]");
      const visit = new Visit(page);
      await visit.settle();
      return Object.assign(visit, {
        async leave() {
          await context.close();
          assert.deepEqual(wrong, []);
        },
      });
    },
    async close() {
      await browser.close();
      await close();
    },
  };
}

class Visit {
  constructor(page) {
    this.page = page;
  }

  /** Waits until the page shows the moment that it is going to. */
  async settle() {
    await this.page.waitForFunction(() => document.body.dataset.busy === "false", null, { timeout: 120_000 });
    await this.page.waitForTimeout(300); // Texts are shown anew five times a second.
  }

  /** Pauses, and goes to a moment. */
  async goTo(milliseconds) {
    await this.page.locator("#scrubber").evaluate((scrubber, at) => {
      scrubber.max = String(Math.max(Number(scrubber.max), at));
      scrubber.value = String(at);
      document.body.dataset.busy = "true";
      scrubber.dispatchEvent(new Event("input"));
    }, milliseconds);
    await this.settle();
  }

  /** Runs on until the page shows what is waited for. */
  async runUntil(shown, speed = 16) {
    await this.setSpeed(speed);
    await this.page.click("#run");
    await this.page.waitForFunction(shown, null, { timeout: 60_000 });
    if ((await this.page.textContent("#run")) === "Pause") await this.page.click("#run");
    await this.settle();
  }

  async setSpeed(speed) {
    await this.page.fill("#speed", String(Math.log2(speed)));
  }

  async select(...hosts) {
    await this.page.keyboard.press("Escape");
    for (const [index, host] of hosts.entries()) {
      await this.page.click(`[data-host="${host}"]`, index > 0 ? { modifiers: ["Shift"] } : {});
    }
  }

  async press(name) {
    await this.page.getByRole("button", { name, exact: true }).click();
  }

  /** What stands beside each count. */
  async tally() {
    const rows = await this.page.locator("#tally tr").evaluateAll((rows) => rows.map((row) => [row.dataset.count, row.cells[1].textContent, row.cells[2].textContent]));
    return Object.fromEntries(rows.map(([name, found, verdict]) => [name, { found: Number(found.replace(/\u2009/g, "")), verdict }]));
  }

  trace() {
    return this.page.textContent("#trace");
  }

  log() {
    return this.page.innerText("#log");
  }

  /** All that the page shows of the moment. */
  async state() {
    const hosts = await this.page.locator(".host").evaluateAll((hosts) => hosts.map((host) => host.getAttribute("aria-label")));
    const time = await this.page.textContent("#time");
    return { trace: await this.trace(), tally: await this.tally(), log: await this.log(), hosts, time };
  }

  /** What the page tells at its top. */
  async message() {
    const isShown = await this.page.isVisible("#message");
    return isShown ? this.page.textContent("#message-text") : undefined;
  }
}
