/** CHECK: the plugin verifies that everything is still as in its result. */
import { call, NETWORK, NOTES, SECOND } from "./scene.ts";
import type { Stage } from "./stage.ts";

/** `current` is the configuration of the second container, in version 1.0.0. */
export async function checkSecond(stage: Stage, current: string): Promise<void> {
  stage.step(
    "CHECK",
    "CHECK exists from version 0.4.0 of the specification on, so it is called for the second container.\n" +
      "A runtime puts the result of ADD into the configuration, as prevResult.",
  );
  const checked = `${NOTES}/check.conf`;
  await stage.type(
    `(sed '$d' ${current}; echo ', "prevResult":'; cat ${NOTES}/result.json; echo '}') >${checked}`,
  );
  const { stdout } = await stage.type(call("CHECK", SECOND, checked));
  stage.verify("everything is in order, so it prints nothing", stdout, "");

  await stage.type(`ip -n ${SECOND.id} route delete default`);
  const complaint = await stage.typeFailing(call("CHECK", SECOND, checked));
  const { code, msg } = JSON.parse(complaint.stdout) as { code: number; msg: string };
  stage.verify(
    "without the default route it fails",
    { code: typeof code, names: /route/i.test(msg) },
    { code: "number", names: true },
  );
  await stage.type(`ip -n ${SECOND.id} route add default via ${NETWORK.gateway}`);
  const again = await stage.type(call("CHECK", SECOND, checked));
  stage.verify("with the route it succeeds again", again.stdout, "");
}
