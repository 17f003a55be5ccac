/** What Airflow's page imports: it leaves the component under the name of each app that shows it. */

import { Guard } from "./Guard";
import { useSettled } from "./useSettled";
import { Wall } from "./Wall";
import "./style";

/** Airflow's props of a plugin: those that its page does not have are undefined. */
interface Props {
  dagId?: string;
  runId?: string;
  taskId?: string;
  mapIndex?: string;
}

function Renders(props: Props) {
  const mapIndex = props.mapIndex === "-1" ? undefined : props.mapIndex;
  // Another page is another wall: nothing of the one before is kept.
  const page = [props.dagId, props.runId, props.taskId, mapIndex].join("\n");
  const isSettled = useSettled();
  if (!isSettled) return null;
  return (
    <Guard key={page}>
      <Wall dagId={props.dagId} runId={props.runId} taskId={props.taskId} mapIndex={mapIndex} />
    </Guard>
  );
}

// A module is evaluated once, but Airflow looks for each app under its own name; the names are those in
// renderjuice_provider/plugin/renderjuice.py.
for (const name of ["Renders", "Render", "AirflowPlugin"]) Reflect.set(globalThis, name, Renders);
