// What Lumen shows: titles, the rows they stand in, and the people who watch.

import { random } from "./random.js";

// name | scene | palette | lettering | year | kind | tags | synopsis
const LINES = `
Night Courier|street|amber|condensed|2025|Film|Thriller, City, Night|One parcel, nine hours, and every red light in town against her.
Side Streets|street|slate|wide|2024|Series|Drama, City, Slow burn|Five riders, one rented garage, and a city that never quite lets go.
The Meadow Giant|meadow|spring|rounded|2023|Film|Family, Animation, Gentle|He only wanted to sleep until noon. The meadow had other plans.
Far Orbit|planet|violet|wide|2024|Series|Space, Science fiction, Tense|The relief crew is two years late, and somebody is knocking.
Cinder Line|ridges|ember|condensed|2023|Film|Adventure, Wilderness|A fire lookout sees the one light that should not be there.
Paper Harbour|sea|dusk|serif|2022|Series|Mystery, Coast|A town that keeps every letter ever sent to the lost.
Nine Lanterns|city|rose|wide|2025|Series|Crime, City, Stylish|Nine debts, nine nights, one very patient collector.
Understudy|figure|crimson|serif|2024|Film|Drama, Stage|She knows every line. Tonight she learns what they cost.
Hollow Pines|forest|teal|italic|2023|Series|Mystery, Forest|Everybody in the valley hears the bell. Nobody owns one.
Salt and Iron|sea|slate|condensed|2021|Film|Adventure, Coast|The last sailing freighter takes on a cargo that talks.
Dune Relay|dunes|amber|wide|2025|Series|Sport, Desert|Six teams, four deserts, no engines.
Parallel Rooms|corridor|cyan|wide|2024|Film|Science fiction, Puzzle|Every door opens on the same flat, one hour later.
The Quiet Coup|profiles|crimson|condensed|2022|Series|Political, Tense|Twelve signatures, and one of them forged.
Tin Orchard|shapes|spring|rounded|2021|Film|Comedy, Family|Grandmother built robots. Robots planted trees.
Glass Season|profiles|ice|serif|2025|Series|Romance, Drama|Two rival florists, one wedding a week.
Starfall Station|planet|ember|condensed|2022|Film|Space, Action|A mining ring, a slow leak, and a fast clock.
Low Winter Sun|ridges|ice|italic|2023|Film|Drama, Wilderness|A surveyor measures the border that her father moved.
Small Hours Diner|window|amber|rounded|2024|Series|Comedy, Warm|Open from two to six, for whoever is left.
Red Kite|ridges|crimson|serif|2020|Film|Drama, Wilderness|A falconer's daughter and a very stubborn bird.
Neon Saints|city|violet|condensed|2025|Series|Crime, Science fiction|The choir sings. The choir also breaks in.
Mother of Pearl|figure|teal|serif|2022|Film|Fantasy, Coast|What the tide returns is never what it took.
Slow Rivers|forest|spring|italic|2021|Documentary|Nature, Calm|Four seasons on the water, hardly a word spoken.
Speed of Dust|dunes|ember|condensed|2024|Film|Action, Desert|A getaway driver takes the longest way home.
Bauhaus Blues|shapes|rose|wide|2023|Film|Music, Comedy|A jazz band moves into an architecture school.
Ships of Stone|planet|slate|serif|2023|Series|Space, Documentary|What asteroids remember.
House of Weather|window|teal|serif|2024|Series|Fantasy, Family|Each room keeps its own climate, and its own secrets.
Signal Lost|corridor|crimson|condensed|2022|Film|Horror, Space|Do not answer the second call.
Blue Hour|city|ice|italic|2020|Film|Romance, City, Night|Two strangers, forty minutes before sunrise.
The Long Thaw|ridges|teal|wide|2025|Documentary|Nature, Science|The people who read the ice.
Gold Leaf|shapes|amber|serif|2021|Series|Crime, Art|A restorer paints her way out of debt.
Lighthouse Nine|sea|ice|wide|2024|Film|Mystery, Coast|Eight keepers logged the same dream.
Copper Sky|dunes|rose|italic|2022|Film|Western, Desert|A water thief and the sheriff who needs a drink.
Second Moon|planet|teal|italic|2025|Film|Space, Romance|Tides come twice now. So do some people.
Fault Lines|profiles|ember|wide|2023|Series|Drama, Tense|Two seismologists, one marriage, one crack.
Kite Weather|meadow|ice|italic|2022|Film|Family, Gentle|A summer, a hill, and the biggest kite in the county.
Understory|forest|ember|condensed|2024|Series|Thriller, Forest|Something in the canopy keeps score.
Arcade Summer|corridor|rose|rounded|2023|Series|Comedy, Nostalgia|The machines only take promises.
Last Tram to Elm|street|teal|serif|2021|Film|Drama, City|A driver, a route that closes tomorrow, and a full car.
Ash and Ivory|figure|slate|condensed|2025|Series|Fantasy, War|Two heirs, one throne, no kingdom left to rule.
Moth Kingdom|meadow|violet|serif|2023|Film|Animation, Night, Family|The lamp went out. The court must travel.
Orbiters|planet|cyan|rounded|2021|Series|Space, Comedy|The worst crew won the best ship.
Tidewatch|sea|violet|condensed|2025|Series|Thriller, Coast|A rescue crew, and one caller who is never there.
The Cartographers|ridges|amber|serif|2022|Series|History, Adventure|They drew the mountains first and climbed them later.
Frostbound|forest|ice|wide|2024|Film|Survival, Wilderness|Eleven days, one flare, four opinions.
Carousel City|city|ember|rounded|2022|Film|Family, Fantasy|All its houses turn. One of them stops.
Zero Meridian|shapes|cyan|condensed|2025|Film|Thriller, Puzzle|Somebody has moved the middle of the world.
Stay a While|window|rose|italic|2023|Film|Romance, Warm|A snowed-in inn, a double booking.
Crown of Wires|figure|cyan|wide|2024|Series|Science fiction, Action|The queen is an orchestra of machines.
`;

const RATINGS = ["7+", "10+", "12+", "13+", "16+"];

function title(line) {
  const [name, scene, palette, lettering, year, kind, tags, synopsis] = line.split("|");
  const chance = random(name);
  const family = /Family|Nature|Gentle|Animation/.test(tags);
  const series = kind === "Series";
  return Object.freeze({
    name, scene, palette, lettering, year, kind, synopsis,
    tags: tags.split(", "),
    match: chance.whole(81, 98),
    rating: family ? chance.pick(RATINGS.slice(0, 2)) : chance.pick(RATINGS.slice(2)),
    length: series
      ? `${chance.whole(1, 4)} seasons`.replace(/^1 seasons/, "1 season")
      : `${chance.whole(1, 2)} h ${chance.whole(4, 56)} min`,
    watched: chance.between(0.15, 0.85),
    clip: family ? "bigbuckbunny" : "bikes",
  });
}

export const titles = LINES.trim().split("\n").map(title);

export function find(name) {
  const found = titles.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no title is called ${name}`);
  return found;
}

const EPISODES = 6;
const PLACES = ["The Bridge", "Low Tide", "North Stair", "The Long Room", "Platform Nine", "Salt", "Backlight", "The Orchard Wall", "Ferry Street", "Cold Kitchen"];
const TURNS = ["An Offer", "What She Kept", "Nobody's Fault", "Second Key", "The Other Half", "Weather Coming", "A Good Liar", "Ten Past Four", "Home Again", "Left Unsaid"];
const EVENTS = [
  "A favour is called in, and the price has gone up.",
  "Somebody comes home who was not expected.",
  "A door that was always locked stands open.",
  "Two people tell the same story, and only one of them was there.",
  "The plan is simple until the lights go out.",
  "An old letter arrives, and the wrong person reads it.",
  "There is one seat left, and three who need it.",
  "Everybody is certain, and everybody is wrong.",
];

// The episodes of a series: number, name, length in minutes, synopsis.
export function episodes(series) {
  const chance = random(`episodes of ${series.name}`);
  const [place, turn, event] = [PLACES, TURNS, EVENTS].map((list) => chance.whole(0, list.length - 1));
  return Array.from({ length: EPISODES }, (_, index) => ({
    number: index + 1,
    name: index % 2 ? TURNS[(turn + 3 * index) % TURNS.length] : PLACES[(place + 3 * index) % PLACES.length],
    minutes: chance.whole(38, 56),
    synopsis: EVENTS[(event + 3 * index) % EVENTS.length],
  }));
}

// What follows in the post-play: a series' next episode, else the next title. Films have
// episode null.
export function following(title, episode) {
  const list = title.kind === "Series" ? episodes(title) : [];
  if (list[episode]) return { title, episode: list[episode] };
  const next = titles[(titles.indexOf(title) + 1) % titles.length];
  return { title: next, episode: next.kind === "Series" ? episodes(next)[0] : null };
}

// Titles of which some word of the name or a tag begins with each word of the query.
export function search(query) {
  const wanted = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!wanted.length) return [];
  const rank = (candidate) => {
    const words = (text) => text.toLowerCase().split(/[\s,]+/);
    const named = words(candidate.name);
    const tagged = candidate.tags.flatMap(words).concat(words(candidate.kind));
    let score = 0;
    for (const start of wanted) {
      if (named.some((word) => word.startsWith(start))) score += 2;
      else if (tagged.some((word) => word.startsWith(start))) score += 1;
      else return 0;
    }
    return score;
  };
  return titles
    .map((candidate) => ({ candidate, score: rank(candidate) }))
    .filter(({ score }) => score > 0)
    .sort((one, other) => other.score - one.score)
    .map(({ candidate }) => candidate);
}

// The titles at these places, counted from `from` in steps that never meet the same twice.
function choose(from, step, count) {
  return Array.from({ length: count }, (_, index) => titles[(from + index * step) % titles.length]);
}

const tagged = (...tags) =>
  titles.filter((candidate) => candidate.tags.some((tag) => tags.includes(tag)));

export const billboard = find("Night Courier");

export const rows = [
  { name: "Trending now", titles: choose(2, 1, 20) },
  { name: "Only on Lumen", titles: choose(5, 7, 20) },
  { name: "Continue watching", titles: choose(4, 11, 6), progress: true },
  { name: "Top ten today", titles: choose(8, 5, 10), ranked: true },
  { name: "Worlds beyond", titles: tagged("Space", "Science fiction", "Fantasy") },
  { name: "Quiet evenings", titles: tagged("Warm", "Calm", "Gentle", "Nature", "Romance", "Drama") },
];

export const people = [
  { name: "Ada", hue: 18, face: "smile" },
  { name: "Kofi", hue: 200, face: "calm" },
  { name: "Mira", hue: 330, face: "wink" },
  { name: "Little ones", hue: 140, face: "laugh" },
];

export const CAST = [
  "Ines Okafor", "Tomas Varga", "Lea Brandt", "Jun Takeda", "Amara Diallo", "Piet Maas",
  "Noor Haddad", "Sanna Virtanen", "Rui Cardoso", "Milena Kos",
];
