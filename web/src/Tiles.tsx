/** The same rows as pictures, for a screen on the wall. */

import { memo } from "react";
import type { Row } from "./model";
import { FramesBar, Picture, State } from "./parts";
import { isOver, isStuck } from "./view";
import { duration } from "./words";

interface Props {
  rows: Row[];
  now: string;
  open: string | null;
  onOpen: (id: string) => void;
}

export function Tiles(props: Props) {
  return (
    <ul className="rj-tiles" aria-label="Renders">
      {props.rows.map((row) => (
        <Tile
          key={row.id}
          row={row}
          stuck={isStuck(row, props.now)}
          open={row.id === props.open}
          onOpen={props.onOpen}
        />
      ))}
    </ul>
  );
}

const Tile = memo(function Tile(props: { row: Row; stuck: boolean; open: boolean; onOpen: Props["onOpen"] }) {
  const { row } = props;
  return (
    <li data-row={row.id} data-state={row.state} data-open={props.open || undefined}>
      <Picture picture={row.picture} />
      <FramesBar frames={row.frames} state={row.state} label={`Frames of ${row.name}`} quiet />
      <span className="rj-tile-line">
        <button
          type="button"
          className="rj-name"
          aria-expanded={props.open}
          onClick={() => props.onOpen(row.id)}
        >
          {row.name}
        </button>
        <State state={row.state} stuck={props.stuck} />
      </span>
      <span className="rj-line rj-soft" title={row.reason}>
        {row.reason ||
          (!isOver(row) && row.remaining && `${duration(row.remaining.likely)} left`) ||
          "\u00a0"}
      </span>
    </li>
  );
});
