/** An opened row: its pictures, its way, its frames, its other nights and its configuration. */

import { type ReactNode, useEffect, useRef } from "react";
import { readDetail } from "./api";
import { Buttons } from "./Buttons";
import { Configs } from "./Configs";
import { History } from "./History";
import type { Action, Detail, Row } from "./model";
import { FramesBar, STAGE_STATES, Stages, State, To, Words } from "./parts";
import { Sheet } from "./Sheet";
import { type Polled, usePolled } from "./usePolled";
import { isOver, isStuck, silence } from "./view";
import { allowed, duration, moment, money, NOTHING, normalized, range } from "./words";

const SOON = 5_000;
const LATE = 60_000;

interface Props {
  id: string;
  /** The row as the table has it, until its details have come. */
  row: Row | null;
  now: string;
  onAction: (action: Action, rows: Row[]) => void;
  /** Without it, the details are a page of their own. */
  onClose?: () => void;
}

export function Panel(props: Props) {
  const { id, now, onClose } = props;
  const detail = usePolled<Detail>(
    id,
    (signal) => readDetail(id, signal),
    (value) => (value && isOver(value.row) ? LATE : SOON),
  );
  const heading = useRef<HTMLHeadingElement>(null);
  const isPage = onClose === undefined;
  const row = detail.value?.row ?? props.row;

  // biome-ignore lint/correctness/useExhaustiveDependencies: another row has another heading
  useEffect(() => {
    if (!isPage) heading.current?.focus({ preventScroll: true });
  }, [id, isPage]);

  return (
    <section
      className={isPage ? "rj-panel rj-page" : "rj-panel"}
      aria-label={row ? row.name : "Render"}
      onKeyDown={(event) => {
        if (event.key === "Escape" && onClose && !event.defaultPrevented) {
          event.preventDefault();
          onClose();
        }
      }}
    >
      <header className="rj-panel-head">
        <h2 ref={heading} tabIndex={-1}>
          {row ? row.name : "Render"}
        </h2>
        {row && <State state={row.state} stuck={isStuck(row, now)} />}
        <span className="rj-grow" />
        {onClose && (
          <button
            type="button"
            className="rj-quiet"
            onClick={onClose}
            aria-label="Close the details"
            title="Close (Esc)"
          >
            ✕
          </button>
        )}
      </header>
      <div className="rj-panel-body">
        {detail.error && (
          <p className="rj-trouble" role="alert">
            {detail.error.message}
          </p>
        )}
        {row && <Facts row={row} now={now} onAction={(action) => props.onAction(action, [row])} />}
        <Rest detail={detail} />
      </div>
    </section>
  );
}

function Facts(props: { row: Row; now: string; onAction: (action: Action) => void }) {
  const { row, now } = props;
  const clock = new Date(now);
  const silent = silence(row, now);
  return (
    <>
      {(row.reason || row.next_step) && (
        <div className="rj-why" data-state={row.state}>
          {row.reason && (
            <p>
              <Words>{row.reason}</Words>
            </p>
          )}
          {row.next_step && (
            <p>
              <b>Next:</b> <Words>{row.next_step}</Words>
            </p>
          )}
        </div>
      )}
      <div className="rj-panel-line">
        <Buttons rows={[row]} onAction={props.onAction} />
        <span className="rj-grow" />
        <nav className="rj-links" aria-label={`Pages about ${row.name}`}>
          <To link={row.links.task}>Task</To>
          <To link={row.links.log}>Log</To>
          <To link={row.links.run}>Run</To>
          {row.links.delivery && <To link={row.links.delivery}>Delivery</To>}
        </nav>
      </div>
      <Way row={row} />
      <dl className="rj-facts">
        <Fact name="Frames">
          <FramesBar frames={row.frames} state={row.state} label={`Frames of ${row.name}`} />
        </Fact>
        <Fact name="Remaining">
          {isOver(row) || !row.remaining
            ? NOTHING
            : `${duration(row.remaining.likely)} (${range(row.remaining.least, row.remaining.most)})`}
        </Fact>
        <Fact name="Started">{row.started ? moment(row.started, clock) : "not yet"}</Fact>
        {row.ended && <Fact name="Ended">{moment(row.ended, clock)}</Fact>}
        <Fact name={row.ended ? "Took" : "Elapsed"}>{duration(row.elapsed)}</Fact>
        <Fact name="Queued">{duration(row.queue_seconds)}</Fact>
        <Fact name="Cost">
          {[row.money && money(row.money), `${normalized(row.normalized_seconds)} normalized`]
            .filter(Boolean)
            .join(" · ")}
        </Fact>
        {row.quote && (
          <Fact name="Quote">
            {[allowed(row.quote), row.share && `at most ${allowed(row.share)}`].filter(Boolean).join(" · ")}
          </Fact>
        )}
        <Fact name="Last sign of life">{silent === null ? NOTHING : `${duration(silent)} ago`}</Fact>
        <Fact name="DAG run">
          <To link={row.links.run}>{row.run_id}</To> <span className="rj-soft">of {row.dag_id}</span>
        </Fact>
      </dl>
      {row.layers.length > 0 && (
        <table className="rj-small">
          <caption>{row.layers.length > 1 ? "Layers" : "Job"}</caption>
          <tbody>
            {row.layers.map((layer) => (
              <tr key={`${layer.name} ${layer.job_id}`}>
                <th scope="row">{layer.name}</th>
                <td>
                  <State state={layer.state} />
                </td>
                <td>
                  <FramesBar
                    frames={
                      layer.frames_total === null
                        ? null
                        : { total: layer.frames_total, done: layer.frames_done ?? 0, failed: 0 }
                    }
                    label={`Frames of ${layer.name}`}
                    state={layer.state}
                  />
                </td>
                <td className="rj-soft rj-code">{layer.job_id ?? "no job yet"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function Fact(props: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}

/** The stages by name, each a link to its task. */
function Way(props: { row: Row }) {
  const { row } = props;
  if (row.stages.length === 0) return null;
  return (
    <div className="rj-way">
      <Stages stages={row.stages} />
      <ol>
        {row.stages.map((stage) => (
          <li
            key={stage.name}
            data-stage={stage.state}
            aria-current={stage.state === "running" ? "step" : undefined}
          >
            <To
              link={taskLink(row, stage.task_id, stage.map_index)}
              label={`${stage.name}: ${STAGE_STATES[stage.state]}, task ${stage.task_id}`}
            >
              {stage.name}
            </To>
          </li>
        ))}
      </ol>
    </div>
  );
}

function taskLink(row: Row, taskId: string, mapIndex: number): string {
  const [dag, run, task] = [row.dag_id, row.run_id, taskId].map(encodeURIComponent);
  return `dags/${dag}/runs/${run}/tasks/${task}${mapIndex < 0 ? "" : `/mapped/${mapIndex}`}`;
}

function Rest(props: { detail: Polled<Detail> }) {
  const { value, error } = props.detail;
  if (value === null) return error ? null : <p className="rj-soft">Reading frames and history…</p>;
  return (
    <>
      <Sheet frames={value.frames} name={value.row.name} picture={value.row.picture} />
      <History past={value.history} />
      <Configs config={value.config} />
    </>
  );
}
