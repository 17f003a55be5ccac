/** Small things that many places show. */

import { memo, type ReactNode, useState } from "react";
import { Link } from "react-router-dom";
import { destination, pictureUrl } from "./address";
import type { Frames, Row, Stage } from "./model";
import { count, stateName } from "./words";

/** A link to where a row's link leads; only its words where it leads nowhere. */
export function To(props: {
  link: string | null;
  children: ReactNode;
  className?: string;
  label?: string;
  tabIndex?: number;
}) {
  const where = destination(props.link);
  const { className, tabIndex } = props;
  const shared = { className, tabIndex, "aria-label": props.label, title: props.label };
  if (where === null) return <span className={className}>{props.children}</span>;
  if (where.kind === "airflow") {
    return (
      <Link to={where.to} {...shared}>
        {props.children}
      </Link>
    );
  }
  return (
    <a href={where.href} target="_blank" rel="noreferrer" {...shared}>
      {props.children}
    </a>
  );
}

/** A sentence, in which names between backticks are set as code. */
export function Words(props: { children: string }) {
  return (
    props.children
      .split("`")
      // biome-ignore lint/suspicious/noArrayIndexKey: a sentence's parts have no other
      .map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part))
  );
}

/** A picture of a render, or a quiet place for one. */
export const Picture = memo(function Picture(props: {
  picture: string | null;
  size?: 256 | 1024;
  alt?: string;
}) {
  const [broken, setBroken] = useState<string | null>(null);
  const { picture, size = 256, alt = "" } = props;
  if (picture === null || picture === broken) {
    return <span className="rj-picture" />;
  }
  return (
    <span className="rj-picture">
      <img
        src={pictureUrl(picture, size)}
        alt={alt}
        loading="lazy"
        decoding="async"
        draggable={false}
        onError={() => setBroken(picture)}
      />
    </span>
  );
});

/** A state's name in its colour: the one that Airflow gives to states of that kind. */
export function State(props: { state: string; stuck?: boolean }) {
  return (
    <span className="rj-state" data-state={props.state} data-stuck={props.stuck || undefined}>
      {stateName(props.state)}
    </span>
  );
}

export const STAGE_STATES = {
  waiting: "waits",
  running: "under way",
  done: "done",
  failed: "failed",
  skipped: "skipped",
};

/** The stages of a row as one line of segments. */
export function Stages(props: { stages: Stage[] }) {
  if (props.stages.length === 0) return null;
  const said = props.stages.map((stage) => `${stage.name}: ${STAGE_STATES[stage.state]}`).join(", ");
  return (
    <span className="rj-stages" role="img" aria-label={said} title={said}>
      {props.stages.map((stage) => (
        <span key={stage.name} data-stage={stage.state} />
      ))}
    </span>
  );
}

/** Frames that are done, failed and left, as a stacked bar with their numbers. */
export function FramesBar(props: { frames: Frames | null; label: string; state?: string; quiet?: boolean }) {
  const { frames } = props;
  if (frames === null || frames.total <= 0) return <span className="rj-soft">–</span>;
  const part = (number: number) => `${Math.min(100, (100 * number) / frames.total)}%`;
  const numbers = `${count(frames.done)} of ${count(frames.total)}`;
  const failed = frames.failed > 0 ? `${count(frames.failed)} failed` : "";
  return (
    <span className="rj-frames">
      {!props.quiet && (
        <span className="rj-number">
          {numbers}
          {failed && <b className="rj-bad"> · {failed}</b>}
        </span>
      )}
      <span
        className="rj-bar"
        role="progressbar"
        aria-label={props.label}
        aria-valuenow={frames.done}
        aria-valuemin={0}
        aria-valuemax={frames.total}
        aria-valuetext={failed ? `${numbers}, ${failed}` : numbers}
        data-state={props.state}
      >
        <span className="rj-bar-done" style={{ width: part(frames.done) }} />
        <span className="rj-bar-failed" style={{ width: part(frames.failed) }} />
      </span>
    </span>
  );
}

/** The layers of a shot, each with what it is doing. */
export function Layers(props: { row: Row }) {
  const { layers } = props.row;
  return (
    <span className="rj-layers">
      {layers.map((layer) => (
        <span key={`${layer.name} ${layer.job_id}`} title={`${layer.name}: ${stateName(layer.state)}`}>
          <i className="rj-dot" data-state={layer.state} aria-hidden="true" />
          {layer.name}
          <span className="rj-hidden">, {stateName(layer.state)};</span>
        </span>
      ))}
    </span>
  );
}
