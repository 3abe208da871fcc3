/** Cgroups as `/proc/PID/cgroup` tells them. Pure. */

/**
 * Of the lines those that systemd cares for: `0::PATH`, and `N:name=systemd:PATH` of an older hierarchy. Where there are
 * both, a systemd may keep to one of them and leave the other at its root: the path that says most comes first.
 */
export function pathsIn(text: string): readonly string[] {
  const paths = text.split('\n').flatMap((line) => /^(?:0:|\d+:name=systemd):(.*)$/.exec(line)?.[1] ?? []);
  return paths.sort((a, b) => b.length - a.length);
}

/** Docker, Podman, Kubernetes, LXC, systemd-nspawn. */
const CONTAINERS = /\/(docker|lxc|kubepods)\/|\/(docker|libpod|cri-containerd|crio|machine|lxc\.payload|kubepods)[-.]/;

export function isContainer(path: string): boolean {
  return CONTAINERS.test(path);
}
