/** A row's frames as a contact sheet that fills while they render. */

import { type KeyboardEvent, memo, useState } from "react";
import type { Frame } from "./model";
import { Picture } from "./parts";
import { several } from "./words";

const STATES = { done: "done", missing: "missing", failed: "failed", waiting: "not yet rendered" };

export function Sheet(props: { frames: Frame[]; name: string; picture: string | null }) {
  const { frames, name } = props;
  const [chosen, setChosen] = useState<string | null>(null);
  const ids = idsOf(frames);
  const shown = frames[ids.indexOf(chosen ?? "")];
  const newest = frames.findLast((frame) => frame.picture !== null);
  const big = shown?.picture ?? newest?.picture ?? props.picture;
  const done = frames.filter((frame) => frame.state === "done").length;
  const bad = frames.filter((frame) => frame.state === "failed" || frame.state === "missing").length;

  /** The arrows go from frame to frame, as in a player. */
  const onKey = (event: KeyboardEvent<HTMLElement>) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const tiles = [...event.currentTarget.querySelectorAll<HTMLElement>("button")];
    const next = tiles[tiles.indexOf(document.activeElement as HTMLElement) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.click();
  };

  return (
    <section className="rj-section" aria-label={`Pictures of ${name}`}>
      {(big || frames.length > 0) && (
        <figure className="rj-big-picture">
          <Picture
            picture={big}
            size={1024}
            alt={shown ? `Frame ${shown.name}` : `Last picture of ${name}`}
          />
          <figcaption>{shown ? `Frame ${shown.name}, ${STATES[shown.state]}` : "Last picture"}</figcaption>
        </figure>
      )}
      {frames.length > 0 && (
        <>
          <h3>
            Frames{" "}
            <span className="rj-soft">
              {done} of {frames.length}
              {bad > 0 && <b className="rj-bad"> · {several(bad, "frame")} missing or failed</b>}
            </span>
          </h3>
          <ul className="rj-sheet" aria-label="Frames" onKeyDown={onKey}>
            {frames.map((frame, index) => (
              <Tile
                key={ids[index]}
                id={ids[index] ?? frame.name}
                name={frame.name}
                picture={frame.picture}
                state={frame.state}
                chosen={ids[index] === chosen}
                onChoose={setChosen}
              />
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

/** Each layer of a shot has its own frame 0001. */
function idsOf(frames: Frame[]): string[] {
  const seen = new Map<string, number>();
  return frames.map(({ name }) => {
    const number = (seen.get(name) ?? 0) + 1;
    seen.set(name, number);
    return number > 1 ? `${name} ${number}` : name;
  });
}

interface TileProps extends Frame {
  id: string;
  chosen: boolean;
  onChoose: (id: string) => void;
}

const Tile = memo(function Tile(props: TileProps) {
  return (
    <li>
      <button
        type="button"
        className="rj-tile"
        data-frame={props.state}
        aria-pressed={props.chosen}
        aria-label={`Frame ${props.name}, ${STATES[props.state]}`}
        title={`${props.name}: ${STATES[props.state]}`}
        onClick={() => props.onChoose(props.id)}
      >
        <Picture picture={props.picture} />
        <span aria-hidden="true">{props.name}</span>
      </button>
    </li>
  );
});
