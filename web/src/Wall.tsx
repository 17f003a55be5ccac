/** The render wall: every shot of the night, from its file to its delivery, and what to do about it. */

import { useCallback, useEffect, useMemo, useReducer, useRef, useState } from "react";
import { useSearchParams } from "react-router-dom";
import { ActionDialog } from "./ActionDialog";
import { readNight, type Scope } from "./api";
import { Buttons } from "./Buttons";
import { Filters, Status, Summary, Troubles } from "./Head";
import type { Action, Done, Night, Row } from "./model";
import { Panel } from "./Panel";
import { Table } from "./Table";
import { Tiles } from "./Tiles";
import { usePolled } from "./usePolled";
import { isOver, keepSame, news, parseView, type Shown, type Sort, show, type View, writeView } from "./view";
import { money, normalized, several } from "./words";

/** While something happens, and while nothing does. */
const SOON = 5_000;
const LATE = 30_000;

const EMPTY: Shown = { rows: [], counts: new Map(), sequences: [] };

export function Wall(scope: Scope) {
  const [query, setQuery] = useSearchParams();
  const view = useMemo(() => parseView(query), [query]);
  const inRun = scope.runId !== undefined;
  const [said, say] = useReducer(
    (before: { words: string; number: number }, words: string) =>
      words ? { words, number: before.number + 1 } : before,
    { words: "", number: 0 },
  );
  const night = usePolled<Night>(
    JSON.stringify([scope.dagId, scope.runId, scope.taskId, scope.mapIndex, view.hours]),
    async (signal, before) => {
      const after = keepSame(before, await readNight(scope, view.hours, signal));
      say(news(before, after));
      return after;
    },
    (value) => (value?.rows.every(isOver) ? LATE : SOON),
  );
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [unsuccessful, setUnsuccessful] = useState<string[]>([]);
  const [asked, setAsked] = useState<{ action: Action; rows: Row[] } | null>(null);
  const rows = night.value?.rows ?? [];
  const shown = useMemo(() => (night.value ? show(night.value, view) : EMPTY), [night.value, view]);

  // The router gives another function with each address; rows should not be painted again for that.
  const write = useRef(setQuery);
  write.current = setQuery;
  const onView = useCallback(
    (change: Partial<View>, push = false) =>
      write.current((before) => writeView({ ...parseView(before), ...change }, before), {
        replace: !push,
        preventScrollReset: true,
      }),
    [],
  );
  const onSort = useCallback(
    (sort: Sort) => onView({ sort, descending: view.sort === sort && !view.descending }),
    [onView, view.sort, view.descending],
  );
  const onSelect = useCallback((ids: string[], on: boolean) => {
    setSelected((before) => {
      const after = new Set(before);
      for (const id of ids) on ? after.add(id) : after.delete(id);
      return after;
    });
  }, []);
  const root = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLElement | null>(null);
  const onOpen = useCallback(
    (id: string | null) => {
      if (id !== null) opener.current = document.activeElement as HTMLElement | null;
      onView({ open: id }, id !== null);
      if (id === null) opener.current?.focus();
    },
    [onView],
  );
  const onDone = (done: Done) => {
    // What could not be done stays selected, so that one sees which.
    onSelect(done.done, false);
    say(done.done.length ? `Done for ${several(done.done.length, "row")}.` : "");
    setUnsuccessful(done.failed.map((one) => `${nameOf(rows, one.id)}: ${one.why}`));
    night.again();
  };
  const onAsked = () => {
    setAsked(null);
    // The dialog gives the focus back to the button that asked, unless that is gone by now.
    requestAnimationFrame(() => {
      if (document.activeElement !== document.body) return;
      root.current?.querySelector<HTMLElement>('.rj-panel h2, .rj-name:not([tabindex="-1"])')?.focus();
    });
  };
  useTitle(inRun ? null : night.value);

  // What no filter shows is not acted upon.
  const chosen = shown.rows.filter((row) => selected.has(row.id));
  const now = night.value?.now ?? new Date().toISOString();
  const only = scope.taskId !== undefined && rows.length === 1 ? rows[0] : undefined;
  const onAction = (action: Action, its: Row[]) => setAsked({ action, rows: its });

  return (
    <div
      className="rj-wall"
      data-renderjuice="wall"
      ref={root}
      data-open={(view.open !== null && !only) || undefined}
    >
      <header className="rj-head">
        {inRun ? <h2 className="rj-hidden">Renders</h2> : <h1 className="rj-hidden">Renders</h1>}
        {night.value && !only && rows.length > 0 && <Summary night={night.value} />}
        <span className="rj-grow" />
        <Status night={night} />
      </header>
      <Troubles night={night} />
      {unsuccessful.length > 0 && (
        <div className="rj-trouble" role="alert">
          <b>{several(unsuccessful.length, "row")} could not be changed.</b>
          <ul>
            {unsuccessful.map((why) => (
              <li key={why}>{why}</li>
            ))}
          </ul>
          <button type="button" className="rj-button" onClick={() => setUnsuccessful([])}>
            I have read this
          </button>
        </div>
      )}
      <p className="rj-said" aria-live="polite">
        <span key={said.number}>{said.words}</span>
      </p>
      {only ? (
        <Panel id={only.id} row={only} now={now} onAction={onAction} />
      ) : (
        <>
          {(rows.length > 0 || !inRun) && <Filters view={view} shown={shown} onView={onView} inRun={inRun} />}
          {night.value === null ? (
            !night.error && <Placeholder />
          ) : shown.rows.length === 0 ? (
            <Nothing night={night.value} inRun={inRun} scope={scope} onView={onView} />
          ) : view.pictures ? (
            <Tiles rows={shown.rows} now={now} open={view.open} onOpen={onOpen} />
          ) : (
            <Table
              rows={shown.rows}
              now={now}
              view={view}
              selected={selected}
              onSort={onSort}
              onSelect={onSelect}
              onOpen={onOpen}
            />
          )}
          {night.value?.more && (
            <p className="rj-soft rj-foot">There are more rows than are shown: these are the newest.</p>
          )}
        </>
      )}
      {chosen.length > 0 && !only && (
        // biome-ignore lint/a11y/useSemanticElements: a fieldset has no line at the foot of a page
        <div className="rj-selection" role="group" aria-label="What to do with the selected rows">
          <b>{several(chosen.length, "row")} selected</b>
          <span className="rj-soft">{costWords(chosen)}</span>
          <span className="rj-grow" />
          <Buttons rows={chosen} onAction={(action) => onAction(action, chosen)} />
          <button type="button" className="rj-button rj-plain" onClick={() => setSelected(new Set())}>
            Clear
          </button>
        </div>
      )}
      {view.open !== null && !only && (
        <Panel
          id={view.open}
          row={rows.find((row) => row.id === view.open) ?? null}
          now={now}
          onAction={onAction}
          onClose={() => onOpen(null)}
        />
      )}
      {asked && <ActionDialog {...asked} onDone={onDone} onClose={onAsked} />}
    </div>
  );
}

/** The window's title says how the night goes, so that it can be read in a row of tabs. */
function useTitle(night: Night | null) {
  const states = night?.total.by_state;
  const [failed, busy] = [states?.failed ?? 0, states?.rendering ?? 0];
  const words = [failed && `${failed} failed`, busy && `${busy} rendering`].filter(Boolean).join(", ");
  const title = states && (words ? `${words} · Renders` : "Renders");
  useEffect(() => {
    if (!title) return;
    const before = document.title;
    document.title = title;
    return () => {
      document.title = before;
    };
  }, [title]);
}

function costWords(rows: Row[]): string {
  const known = rows.filter((row) => row.normalized_seconds !== null);
  const seconds = known.reduce((sum, row) => sum + (row.normalized_seconds ?? 0), 0);
  const amounts = known.flatMap((row) => (row.money ? [row.money] : []));
  const currency = amounts[0]?.currency;
  if (!currency || amounts.length < known.length || amounts.some((one) => one.currency !== currency)) {
    return `${normalized(seconds)} until now`;
  }
  return `${money({ currency, amount: amounts.reduce((sum, one) => sum + one.amount, 0) })} until now`;
}

function nameOf(rows: Row[], id: string): string {
  return rows.find((row) => row.id === id)?.name ?? "A row that is gone";
}

function Placeholder() {
  return (
    <div className="rj-placeholder" aria-busy="true">
      <span className="rj-hidden">Reading the renders…</span>
      {[0, 1, 2, 3, 4, 5].map((line) => (
        <span key={line} />
      ))}
    </div>
  );
}

/** Never an empty page: why there is nothing, and what to do. */
function Nothing(props: {
  night: Night;
  inRun: boolean;
  scope: Scope;
  onView: (change: Partial<View>) => void;
}) {
  if (props.night.rows.length > 0) {
    return (
      <div className="rj-nothing">
        <p>No row is like that.</p>
        <button
          type="button"
          className="rj-button"
          onClick={() => props.onView({ states: [], text: "", sequence: "" })}
        >
          Show all {props.night.rows.length}
        </button>
      </div>
    );
  }
  if (props.scope.taskId !== undefined) {
    return (
      <div className="rj-nothing">
        <p>This task has rendered nothing with Renderjuice.</p>
        <p className="rj-soft">
          Its row appears here as soon as one of Renderjuice's operators has started in it.
        </p>
      </div>
    );
  }
  if (props.inRun) {
    return (
      <div className="rj-nothing">
        <p>Nothing in this DAG run renders with Renderjuice.</p>
        <p className="rj-soft">
          A run's rows appear as soon as one of Renderjuice's operators has started. If the run was deleted,
          its rows are gone, too.
        </p>
      </div>
    );
  }
  return (
    <div className="rj-nothing">
      <p>Nothing has rendered here in that time.</p>
      <p className="rj-soft">
        Every DAG that uses Renderjuice's operators shows up by itself, as far as your role may see it.
      </p>
      <button type="button" className="rj-button" onClick={() => props.onView({ hours: 168 })}>
        Show the last 7 days
      </button>
    </div>
  );
}
