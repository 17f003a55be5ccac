import { type RefObject, useEffect, useState } from "react";

/**
 * The `data-row` of those children that can be seen, or are at most a screen away from it; null as long as
 * that is not known.
 *
 * @param children Has to be another text when there are other children.
 */
export function useNear(parent: RefObject<HTMLElement | null>, children: string): ReadonlySet<string> | null {
  const [near, setNear] = useState<ReadonlySet<string> | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the children are not in React's sight
  useEffect(() => {
    const observer = new IntersectionObserver(
      (entries) =>
        setNear((before) => {
          const after = new Set(before);
          for (const { target, isIntersecting } of entries) {
            const id = (target as HTMLElement).dataset.row ?? "";
            isIntersecting ? after.add(id) : after.delete(id);
          }
          return after;
        }),
      // Airflow's page scrolls in an element of its own, to which only the second of these applies.
      { rootMargin: "100%", scrollMargin: "100%" } as IntersectionObserverInit,
    );
    for (const child of parent.current?.children ?? []) observer.observe(child);
    return () => observer.disconnect();
  }, [children]);
  return near;
}
