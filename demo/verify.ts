/** CHECK: the plugin looks whether all is still as its result says. */
import { call, NETWORK, NOTES, SECOND } from "./scene.ts";
import type { Stage } from "./stage.ts";

/** `current` is the configuration of the second container, in version 1.0.0. */
export async function checkSecond(stage: Stage, current: string): Promise<void> {
  stage.step(
    "CHECK",
    "CHECK came with version 0.4.0 of the specification, so it is the second container's turn.\n" +
      "A runtime puts the result of ADD into the configuration, as prevResult.",
  );
  const checked = `${NOTES}/check.conf`;
  await stage.type(
    `(sed '$d' ${current}; echo ', "prevResult":'; cat ${NOTES}/result.json; echo '}') >${checked}`,
  );
  const { stdout } = await stage.type(call("CHECK", SECOND, checked));
  stage.verify("nothing to complain about, so it prints nothing", stdout, "");

  await stage.type(`ip -n ${SECOND.id} route delete default`);
  const complaint = await stage.typeFailing(call("CHECK", SECOND, checked));
  const { code, msg } = JSON.parse(complaint.stdout) as { code: number; msg: string };
  stage.verify(
    "without the default route it complains",
    { code: typeof code, names: /route/i.test(msg) },
    { code: "number", names: true },
  );
  await stage.type(`ip -n ${SECOND.id} route add default via ${NETWORK.gateway}`);
  const again = await stage.type(call("CHECK", SECOND, checked));
  stage.verify("with the route it is content again", again.stdout, "");
}
