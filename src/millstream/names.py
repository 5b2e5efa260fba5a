"""Readable names for runs that were given none: ``capable-ray-599``."""

from __future__ import annotations

import random

ADJECTIVES: tuple[str, ...] = tuple(
    """
    able adaptable agile airy alert ample amiable apt ardent artful astute aware balanced bold bonny brave breezy bright
    brisk broad bubbly buoyant calm candid capable careful caring casual charming cheery chirpy civil classic clean
    clear
    clever coastal colorful comfy composed constant cool cordial cosmic courteous cozy creative crisp curious daring
    dashing dazzling decent deft delicate delightful devoted diligent direct distinct dreamy dutiful eager early earnest
    easy elegant eloquent eminent enchanted endless energetic exact fabulous fair faithful famous fancy fast
    festive fine fleet fluent flying fond forthright fragrant free fresh friendly frosty fruitful funny gallant generous
    gentle genuine gifted glad gleaming glowing golden good graceful gracious grand grateful great handy happy hardy
    harmonic hearty helpful honest hopeful humble illustrious inventive jaunty jolly jovial joyful judicious keen kind
    learned lively logical loud loyal lucid lucky luminous lush lyrical magical marvelous masterful mellow melodic merry
    mighty mindful mirthful modest musical neat nimble noble nifty notable open orderly painted patient
    peaceful persistent placid playful pleasant poised polite popular powerful precise prudent quick quiet quirky
    radiant rare ready receptive refined resilient respectful righteous roaming robust rousing sandy selective
    serene shimmering silent silver sincere skilled smart smooth snowy sociable spiffy spirited splendid spotless spry
    stately steady stellar sturdy suave subtle sunny swift tactful tasteful tender thoughtful thrifty tidy timely
    tranquil treasured trusting upbeat upright useful valiant valuable vaunted verdant vibrant vigilant vivid warm
    watchful welcoming whimsical wise wistful witty wondrous youthful zealous zesty
    """.split()
)

NOUNS: tuple[str, ...] = tuple(
    """
    acorn alder alpaca anchor antelope apple apricot ash aspen atlas auk aurora badger bamboo basil bay beacon bear
    beaver bee beech bell birch bird bison bluebell boat breeze bridge brook buffalo butterfly calf camel canary canyon
    cardinal carp cat cedar cello chestnut chime chipmunk clam clover cloud cod colt comet condor coral corgi cove crab
    crane cricket crow cypress daisy dawn deer delta dolphin donkey dove dragonfly drum duck dune eagle eel elk elm
    ember
    falcon fawn feather fern field finch fir fish fjord flute foal forest fountain fox frog garden gazelle gecko glacier
    gnu goat goose grouse grove gull hare harp hawk hazel heather hedgehog hen heron hill horse horn hound ibis iguana
    island ivy jackdaw jay juniper kangaroo kelp kestrel kiwi koala koi ladybug lagoon lake lamb lantern lark larch
    lemur leaf lily linden linnet lion lizard llama lotus lynx lyre magpie mallard maple mare marlin marten meadow
    midge mink mint moon moose moss moth mountain mule newt nightingale oak oasis ocean olive opal orchid oriole osprey
    otter owl ox panda parrot peach pear pebble penguin perch pheasant pigeon pine planet plum pond poppy prairie puffin
    quail rabbit raccoon rain ram raven ray reef river robin rook rose sage salmon sandpiper seal shark sheep shore
    shrike sky snail snipe snow sparrow spruce squid squirrel star starling steed stoat stork stream sun swan
    tern thistle thrush tiger trout tulip tuna turtle valley vine viola violet vole walnut walrus wasp wave
    whale willow wind wolf wombat woodpecker wren yak zebra
    """.split()
)

# A source of its own: names stay different in a program that seeds the global generator to repeat its results, and
# naming a run never moves that generator.
_source = random.SystemRandom()


def random_name() -> str:
    """A new name: adjective, noun and a number from 0 to 999. Not unique, but two alike in an experiment are rare."""
    return f"{_source.choice(ADJECTIVES)}-{_source.choice(NOUNS)}-{_source.randrange(1000)}"
