import { useEffect, useState } from "react";
import { useLocation, useNavigate } from "react-router-dom";

let isSettled = false;

/**
 * Whether Airflow's page has this component where it leaves it.
 *
 * The page shows an app that it has just loaded inside of a `Suspense`, and from the next address on without
 * one, which mounts the app once more: focus and selection would be lost. So the address is replaced by
 * itself, once, before there is anything to lose.
 */
export function useSettled(): boolean {
  const location = useLocation();
  const navigate = useNavigate();
  const [first] = useState(() => (isSettled ? null : location.key));

  // biome-ignore lint/correctness/useExhaustiveDependencies: once
  useEffect(() => {
    isSettled = true;
    if (first !== null)
      navigate(location, { replace: true, state: location.state, preventScrollReset: true });
  }, []);
  return location.key !== first;
}
