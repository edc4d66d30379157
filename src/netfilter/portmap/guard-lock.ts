/** The setting that the guard of 127.0.0.0/8 belongs to, and the lock that keeps calls apart which change both (guard.ts). */
import { ensureSysctl, sysctlIfThere } from "../../sys/sysctl.ts";

const setting = (device: string) => ["net", "ipv4", "conf", device, "route_localnet"] as const;

/** The setting of an interface; undefined if that does not exist. */
export const settingOf = (device: string): string | undefined => sysctlIfThere(...setting(device));

/** Allows what the guard protects. @throws SystemError */
export const routeLocalnet = (device: string): void => ensureSysctl(setting(device), "1");

/** Whether the setting that leads connections to 127.0.0.1 into an interface is there. */
export const routesLocalnet = (device: string): boolean => settingOf(device) === "1";

/** Keeps calls apart that make or end the guard of an interface, since the setting is no part of their transactions. */
export class GuardLock implements Disposable {
  private readonly take: () => Disposable | undefined;
  private held: Disposable | undefined;
  private isTaken = false;
  private isWanted = false;
  /** Interfaces whose setting was given back. */
  private readonly given = new Set<string>();

  /** `take` returns undefined if the host's lock cannot be used: then the calls go on without. */
  constructor(take: () => Disposable | undefined) {
    this.take = take;
  }

  /** For a plan: whether it may go on. If not, it must return without changes. */
  isHeld(): boolean {
    this.isWanted = true;
    return this.isTaken;
  }

  /** After the plan: takes the lock if the plan could not go on without it. Returns whether the plan must be made again. */
  mustRepeat(): boolean {
    if (!this.isWanted || this.isTaken) return false;
    this.held = this.take();
    this.isTaken = true;
    return true;
  }

  /**
   * Gives back the settings of interfaces whose guard ends with the plan. It comes before the transaction: a call that is killed
   * in between leaves a guard too many, and not an open interface. If the plan is made again and the guard stays, so does the
   * setting. @throws SystemError
   */
  giveBack(ending: ReadonlyMap<string, string>): void {
    for (const device of this.given) {
      if (ending.has(device)) continue;
      routeLocalnet(device);
      this.given.delete(device);
    }
    for (const [device, value] of ending) {
      if (value !== "0" || settingOf(device) !== "1") continue;
      ensureSysctl(setting(device), value);
      this.given.add(device);
    }
  }

  [Symbol.dispose](): void {
    this.held?.[Symbol.dispose]();
  }
}
