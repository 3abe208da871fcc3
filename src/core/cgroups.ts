/** Cgroups as `/proc/PID/cgroup` tells them. Pure. */

/** Of the lines those that systemd cares for: `0::PATH`, and `N:name=systemd:PATH` of an older hierarchy. */
export function pathsIn(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => /^(?:0:|\d+:name=systemd):(.*)$/.exec(line)?.[1] ?? []);
}

/** Docker, Podman, Kubernetes, LXC, systemd-nspawn. */
const CONTAINERS = /\/(docker|lxc|kubepods)\/|\/(docker|libpod|cri-containerd|crio|machine|lxc\.payload|kubepods)[-.]/;

export function isContainer(path: string): boolean {
  return CONTAINERS.test(path);
}
