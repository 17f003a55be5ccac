/** The top of the wall: the whole night in one line, whether what is shown is true now, and the filters. */

import { type ReactNode, useEffect, useRef, useState } from "react";
import type { Connection, Night, RowState, Total } from "./model";
import { FramesBar, State } from "./parts";
import { type Polled, useNow } from "./usePolled";
import { HOURS, isOver, type Shown, STATES, type View } from "./view";
import { allowed, count, duration, moment, money, normalized, several } from "./words";

function Figure(props: { name: string; children: ReactNode; more?: string }) {
  return (
    <div className="rj-figure">
      <dt>{props.name}</dt>
      <dd>
        <span className="rj-big">{props.children}</span>
        {props.more && <span className="rj-soft">{props.more}</span>}
      </dd>
    </div>
  );
}

/** What has been spent, against what was expected and what is allowed. */
function spentWords(total: Total): string {
  return [
    total.money && normalized(total.normalized_seconds),
    total.quote && `of ${allowed(total.quote)} expected`,
    total.ceiling && `at most ${allowed(total.ceiling)}`,
    total.jobs_of_unknown_cost > 0 && `${several(total.jobs_of_unknown_cost, "job")} of unknown cost`,
  ]
    .filter(Boolean)
    .join(" · ");
}

export function Summary(props: { night: Night }) {
  const { total, now } = props.night;
  const part = total.frames_total > 0 ? Math.floor((100 * total.frames_done) / total.frames_total) : 0;
  const failed = (total.by_state.failed ?? 0) + (total.by_state.rejected ?? 0);
  const delivered = (total.by_state.delivered ?? 0) + (total.by_state.rendered ?? 0);
  const end = total.expected_end;
  const clock = new Date(now);
  return (
    <dl className="rj-summary">
      <Figure name="Done" more={failed ? `${count(failed)} failed or rejected` : "none failed"}>
        {count(delivered)} <small>of {count(total.rows)}</small>
      </Figure>
      <Figure name="Frames" more={`${part} %`}>
        {count(total.frames_done)} <small>of {count(total.frames_total)}</small>
        <FramesBar
          frames={{ total: total.frames_total, done: total.frames_done, failed: 0 }}
          label="Frames of all rows"
          quiet
        />
      </Figure>
      <Figure name="Spent" more={spentWords(total)}>
        {total.money ? money(total.money) : normalized(total.normalized_seconds)}
      </Figure>
      <Figure
        name="Expected end"
        more={end ? `between ${moment(end.earliest, clock)} and ${moment(end.latest, clock)}` : ""}
      >
        {end ? moment(end.likely, clock) : "–"}
      </Figure>
    </dl>
  );
}

/** Seconds after which figures are called old. */
const OLD = 30;

/** One line: how old the data is, and whether Renderjuice answers. */
export function Status(props: { night: Polled<Night> }) {
  const { night } = props;
  const now = useNow(1000);
  const farms = night.value?.farms ?? [];
  const silent = farms.filter((farm) => !farm.answers);
  const sinceRead = night.value ? Math.max(0, (now - night.at) / 1000) : null;
  // A farm where nothing is under way is asked rarely: that is no sign that the data is old.
  const isOpen = night.value?.rows.some((row) => !isOver(row));
  const oldest = isOpen ? Math.max(0, ...farms.map((farm) => farm.age ?? 0)) : 0;
  const age = sinceRead === null ? null : sinceRead + oldest;
  const well = !night.error && silent.length === 0 && (age ?? 0) < OLD;
  return (
    <div className="rj-status" role="status" aria-live="off">
      <span className="rj-dot" data-well={well} aria-hidden="true" />
      <span>
        {farms.length > 0 && (silent.length ? "Renderjuice does not answer · " : "Renderjuice answers · ")}
        {age === null ? "reading…" : `data ${duration(age)} old`}
      </span>
      <button type="button" className="rj-quiet" onClick={night.again} aria-label="Read again now">
        ↻
      </button>
    </div>
  );
}

function farmWords(farm: Connection): string {
  const error = farm.error ?? "Renderjuice does not answer. The renders go on; this page goes on asking.";
  const age = farm.age === null ? "" : ` What it said last is ${duration(farm.age)} old.`;
  return `${farm.connection}: ${error}${age}`;
}

/** What is wrong, in sentences. */
export function Troubles(props: { night: Polled<Night> }) {
  const { value, error } = props.night;
  const sentences = [
    ...(error ? [error.message] : []),
    ...(value?.farms ?? []).filter((farm) => !farm.answers || farm.error).map(farmWords),
  ];
  return (
    <div role="alert">
      {sentences.map((sentence) => (
        <p key={sentence} className="rj-trouble">
          {sentence}
        </p>
      ))}
    </div>
  );
}

interface FiltersProps {
  view: View;
  shown: Shown;
  onView: (change: Partial<View>) => void;
  inRun: boolean;
}

export function Filters(props: FiltersProps) {
  const { view, shown, onView } = props;
  const toggle = (state: RowState) =>
    onView({
      states: view.states.includes(state)
        ? view.states.filter((one) => one !== state)
        : [...view.states, state],
    });
  const all = [...shown.counts.values()].reduce((sum, one) => sum + one, 0);
  return (
    <div className="rj-filters">
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot lie in a line with others */}
      <div className="rj-chips" role="group" aria-label="Show rows by state">
        <button
          type="button"
          className="rj-chip"
          aria-pressed={view.states.length === 0}
          onClick={() => onView({ states: [] })}
        >
          All <b>{count(all)}</b>
        </button>
        {STATES.filter((state) => shown.counts.has(state) || view.states.includes(state)).map((state) => (
          <button
            key={state}
            type="button"
            className="rj-chip"
            aria-pressed={view.states.includes(state)}
            onClick={() => toggle(state)}
          >
            <State state={state} /> <b>{count(shown.counts.get(state) ?? 0)}</b>
          </button>
        ))}
      </div>
      <span className="rj-grow" />
      {shown.sequences.length > 1 && (
        <select
          aria-label="Sequence"
          value={view.sequence}
          onChange={(event) => onView({ sequence: event.target.value })}
        >
          <option value="">All sequences</option>
          {shown.sequences.map((sequence) => (
            <option key={sequence}>{sequence}</option>
          ))}
        </select>
      )}
      <Search text={view.text} onText={(text) => onView({ text })} />
      <button
        type="button"
        className="rj-button"
        aria-pressed={view.pictures}
        onClick={() => onView({ pictures: !view.pictures })}
      >
        Pictures
      </button>
      {!props.inRun && (
        <select
          aria-label="How far back"
          value={view.hours}
          onChange={(event) => onView({ hours: Number(event.target.value) })}
        >
          {HOURS.map((hours) => (
            <option key={hours} value={hours}>
              {hours <= 24 ? `Last ${hours} hours` : `Last ${hours / 24} days`}
            </option>
          ))}
        </select>
      )}
    </div>
  );
}

/** Typing filters at once; the address follows a moment later. */
function Search(props: { text: string; onText: (text: string) => void }) {
  const { text, onText } = props;
  const [typed, setTyped] = useState(text);
  const latest = useRef(onText);
  latest.current = onText;
  useEffect(() => setTyped(text), [text]);
  useEffect(() => {
    if (typed === text) return;
    const timer = setTimeout(() => latest.current(typed), 200);
    return () => clearTimeout(timer);
  }, [typed, text]);
  return (
    <input
      type="search"
      className="rj-search"
      placeholder="Name, layer, DAG, reason"
      aria-label="Filter by name, layer, DAG or reason"
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
    />
  );
}
